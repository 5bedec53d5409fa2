"""Tests of what developers use: make, the benchmark, the list of licences, reports of failures."""
