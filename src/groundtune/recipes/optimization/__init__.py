"""The steps of `optimize` and of `tune retrieval`: judging, trying, switching."""
