"""Decodes untrusted files in confined processes."""
