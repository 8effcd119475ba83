"""The four arms: the rooms below, composed."""
