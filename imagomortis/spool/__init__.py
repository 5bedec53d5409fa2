"""The spool: uploads that are stored and wait for the catalog."""
