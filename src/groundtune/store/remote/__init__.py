"""Talking to models behind an endpoint: keys, limits, retries, failures."""
