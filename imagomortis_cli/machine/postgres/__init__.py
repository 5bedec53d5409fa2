"""Provides the databases of one machine: an embedded Postgres, or a server that the user names."""
