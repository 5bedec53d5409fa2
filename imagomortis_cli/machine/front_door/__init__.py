"""Serves page, API and uploader on one port of one machine."""
