"""Checks and stores pictures, in the same way for form, tus and inbox."""
