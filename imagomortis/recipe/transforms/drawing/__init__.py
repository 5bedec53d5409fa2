"""Draw on and around pictures."""
