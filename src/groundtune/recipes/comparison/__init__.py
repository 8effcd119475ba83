"""The steps of `compare`, a file each; `recipes/compare.py` reads them in order."""
