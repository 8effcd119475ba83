"""Retrieval: embedding passages, the knowledge base they are kept in, and search."""
