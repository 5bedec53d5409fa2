"""Tests of what no package does alone: every parser, the page, the system on one machine, and in a cluster."""
