"""The edge that every HTTP listener shares: access, problem documents, access logs, health and metrics."""
