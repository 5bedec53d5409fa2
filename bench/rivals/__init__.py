"""Runs other task queues on the same pictures, for comparison."""
