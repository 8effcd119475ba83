"""RAG, fine-tuning, or both? Measured on your own data."""
__version__ = "0.1.0"
