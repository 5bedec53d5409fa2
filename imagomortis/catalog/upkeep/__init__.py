"""Migrates, checks, expires, verifies and copies the catalog, and counts for metrics."""
