"""Keeps the pipeline healthy: removes orphaned Jobs and expired rows, and exports metrics."""
