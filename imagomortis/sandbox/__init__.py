"""Processes without rights, in which strangers' files are decoded."""
