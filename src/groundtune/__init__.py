"""RAG, fine-tuning, or both? Measured on your own data."""

__all__ = ["__version__"]

__version__ = "0.1.0"
