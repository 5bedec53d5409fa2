"""Floors: the smallest programs that do the same work. Each figure is compared with one of them."""
