"""Recipes: what they say, and how they are applied to a picture."""
