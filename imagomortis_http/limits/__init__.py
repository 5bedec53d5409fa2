"""Limits what a client may send, and how slowly."""
