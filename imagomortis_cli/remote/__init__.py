"""Uses a system over HTTP, wherever it runs."""
