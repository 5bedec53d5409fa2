"""Backs up, restores and verifies a system."""
