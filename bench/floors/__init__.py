"""The least programs that do the same work: each figure is compared with one of them."""
