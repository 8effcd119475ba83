"""Trained models in the forms that other runtimes read, and what they answer there."""
