"""Measurements: each figure beside the floor that it is compared with, taken in the same run."""
