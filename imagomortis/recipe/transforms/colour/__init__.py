"""Change the colours of pictures."""
