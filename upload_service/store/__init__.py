"""Checks pictures and stores them in the spool, whatever way they came."""
