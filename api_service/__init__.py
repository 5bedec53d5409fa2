"""Serves the REST API: lists, delivers, edits, retries and deletes images, and sends live events."""
