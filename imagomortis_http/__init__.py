"""Provides what every HTTP listener shares: access, limits, problem documents, access logs and metrics."""
