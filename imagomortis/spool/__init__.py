"""Stores uploads durably until the catalog takes them."""
