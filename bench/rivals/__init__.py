"""Other task queues, measured on the same pictures."""
