"""Lost pods, nodes, daemons and databases."""
