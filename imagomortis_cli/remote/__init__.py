"""A system somewhere, used over HTTP."""
