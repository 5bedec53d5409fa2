"""Metrics, spans and log lines of the API."""
