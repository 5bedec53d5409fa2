"""Tests of make, the benchmark, the list of licences, and reports of failures."""
