"""Turn, cut and scale pictures."""
