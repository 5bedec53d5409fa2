"""Reads, decodes and encodes pictures."""
