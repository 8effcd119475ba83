"""transformers' Trainer on classification, at its defaults.

fp32, a batch padded to its longest text, batches in random order, AdamW with a linear
fall of the rate. What is not its default: batch, epochs and seed, which are the same on
both sides; the rate, which is groundtune's; and nothing is logged or saved. It is not
asked to evaluate.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)


class Training:
    """See `train_worker.Training`."""

    def __init__(self, job: dict[str, Any]) -> None:
        tokenizer: Any = AutoTokenizer.from_pretrained(job["model"])
        loader: Any = AutoModelForSequenceClassification
        torch.manual_seed(job["seed"])
        self._model = loader.from_pretrained(
            job["model"], num_labels=len(job["labels"])
        )
        if frozen := job["frozen"]:
            self._model.bert.embeddings.requires_grad_(requires_grad=False)
            self._model.bert.encoder.layer[:frozen].requires_grad_(requires_grad=False)
        place = {label: number for number, label in enumerate(job["labels"])}
        made: dict[str, list[dict[str, Any]]] = {
            side: [
                {
                    **tokenizer(text, truncation=True, max_length=256),
                    "label": place[label],
                }
                for text, label in job[side]
            ]
            for side in ("train", "test")
        }
        self._test = made["test"]
        self._trainer = Trainer(
            model=self._model,
            args=TrainingArguments(
                output_dir=job["out"],
                num_train_epochs=job["epochs"],
                per_device_train_batch_size=job["batch"],
                learning_rate=job["rate"],
                seed=job["seed"],
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                use_cpu=True,
            ),
            train_dataset=made["train"],  # pyright: ignore[reportArgumentType]
            data_collator=DataCollatorWithPadding(tokenizer),
        )

    def train(self) -> dict[str, float]:
        """See `train_worker.Training.train`."""
        return {"steps": self._trainer.train().global_step}

    def quality(self) -> float:
        """See `train_worker.Training.quality`."""
        predicted = self._trainer.predict(self._test)  # pyright: ignore[reportArgumentType]
        logits: Any = predicted.predictions
        gold = [row["label"] for row in self._test]
        right = sum(
            int(best) == label
            for best, label in zip(logits.argmax(-1), gold, strict=True)
        )
        return 100 * right / len(gold)
