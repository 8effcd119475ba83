"""Generation: engines, streaming, citations."""
