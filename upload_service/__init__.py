"""Checks uploaded pictures and stores them durably in the spool: the uploader."""
