"""Connects to Postgres, and runs statements by their names."""
