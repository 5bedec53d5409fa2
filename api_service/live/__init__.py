"""Keeps open pages up to date: changes as events, and figures."""
