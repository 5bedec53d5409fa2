"""Dagster: the pusher, the image task and the schedules of ImagoMortis."""
