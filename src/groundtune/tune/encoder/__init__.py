"""Fine-tuning of encoders for labels: the same five steps, a file a step."""
