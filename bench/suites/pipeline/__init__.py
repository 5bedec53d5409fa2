"""Measures the pipeline: throughput, and the latency of one picture."""
