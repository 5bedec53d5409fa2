"""Everything that the system on one machine needs."""
