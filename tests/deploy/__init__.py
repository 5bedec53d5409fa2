"""Tests of the installation on Kubernetes that need no cluster."""
