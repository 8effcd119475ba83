"""The page of a tuned model: how it did beside what needs no training, and why."""
