"""What keeps the pipeline healthy: dead workers, old rows, metrics."""
