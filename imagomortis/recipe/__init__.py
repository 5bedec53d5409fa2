"""Parses recipes, and applies them to pictures."""
