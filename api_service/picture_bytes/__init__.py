"""Answers with the bytes of pictures: file names, ranges and conditional requests."""
