"""The command `imagomortis`."""
