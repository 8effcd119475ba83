"""Measures and statistics on rows: pure, and free of model code."""
