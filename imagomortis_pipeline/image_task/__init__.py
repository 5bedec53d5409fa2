"""Processes images: the job with its one op, the pod that runs it, and its report for Dagster."""
