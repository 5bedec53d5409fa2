"""Measures API, uploads, page, pipeline, start and memory, each beside its floor."""
