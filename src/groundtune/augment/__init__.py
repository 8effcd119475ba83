"""Augmentation: evidence and a case become a prompt."""
