"""Blur and sharpen pictures."""
