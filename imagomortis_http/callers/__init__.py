"""Identifies the callers of a listener: address, origin, session, token."""
