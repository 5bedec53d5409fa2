"""Say what the result's file is like."""
