"""Runs, models and files: the only writer of results."""
