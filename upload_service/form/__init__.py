"""Receives pictures sent as a multipart form: ``POST /upload``."""
