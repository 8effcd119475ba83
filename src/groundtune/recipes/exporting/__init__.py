"""The steps of `export`: held-out rows, writing, opening again, comparing."""
