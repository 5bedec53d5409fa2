"""Reads and writes what Dagster keeps in its database."""
