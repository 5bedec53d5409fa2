"""The steps of the schema, one a file, applied in the order of their names."""
