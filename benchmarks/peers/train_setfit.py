"""SetFit at its defaults: one epoch over all pairs, then logistic regression.

Pairs of unlike labels are as many as there are, and pairs of like labels are repeated
until they are as many (`oversampling`). What is not its default: the seed, and nothing
is saved.
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset  # pyright: ignore[reportMissingImports]
from setfit import (  # pyright: ignore[reportMissingImports]
    SetFitModel,
    Trainer,
    TrainingArguments,
)


class Training:
    """See `train_worker.Training`."""

    def __init__(self, job: dict[str, Any]) -> None:
        place = {label: number for number, label in enumerate(job["labels"])}
        self._test = [(text, place[label]) for text, label in job["test"]]
        rows = [{"text": text, "label": place[label]} for text, label in job["train"]]
        self._model: Any = SetFitModel.from_pretrained(job["model"])
        self._trainer: Any = Trainer(
            model=self._model,
            args=TrainingArguments(
                output_dir=job["out"],
                seed=job["seed"],
                report_to="none",
                save_strategy="no",
                show_progress_bar=False,
            ),
            train_dataset=Dataset.from_list(rows),
        )

    def train(self) -> dict[str, float]:
        """See `train_worker.Training.train`."""
        self._trainer.train()
        return {"steps": self._trainer.st_trainer.state.global_step}

    def quality(self) -> float:
        """See `train_worker.Training.quality`."""
        said = self._model.predict([text for text, _ in self._test])
        right = sum(
            int(one) == label for one, (_, label) in zip(said, self._test, strict=True)
        )
        return 100 * right / len(self._test)
