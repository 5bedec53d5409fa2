"""Measures API, uploads, page, pipeline, storage, start and memory, each beside its floor."""
