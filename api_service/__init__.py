"""The REST API: lists, serves, edits, retries and deletes images, and tells of them live."""
