"""Fine-tuning: pretrained, dataset, modify, train, evaluate, a file a step."""
