"""The parts of tuning for labels: reading, choosing, training, searching."""
