"""Finds out what is wrong with a system: `imagomortis doctor`."""
