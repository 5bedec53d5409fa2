"""Everything that touches a private name or table of Dagster."""
