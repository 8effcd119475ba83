"""The history of a training run, from what a trainer keeps to what a plot shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

POINTS = 60
"""Points of the training loss: that of one step is noise, a mean over many is not."""


def training_history(
    train_losses: Sequence[float],
    *,
    dev_losses: Sequence[tuple[float, float]] = (),
    dev_scores: Sequence[tuple[float, float]] = (),
) -> list[dict[str, float]]:
    """Points for `tuning_page.plots`, in order of their steps.

    Args:
        train_losses: The loss of each step, from the first.
        dev_losses: Step and loss on dev cases.
        dev_scores: Step and primary measure on dev cases.

    Examples:
        >>> training_history([0.5, 0.25], dev_scores=[(2, 0.9)])
        [{'step': 1.0, 'train_loss': 0.5}, {'step': 2.0, 'train_loss': 0.25}, \
{'step': 2.0, 'dev_score': 0.9}]
    """
    steps = np.array_split(
        np.arange(len(train_losses)), max(1, min(POINTS, len(train_losses)))
    )
    found = [
        {
            # A stretch stands at its middle.
            "step": float(stretch.mean()) + 1,
            "train_loss": float(np.mean([train_losses[i] for i in stretch])),
        }
        for stretch in steps
        if len(stretch)
    ]
    found += [{"step": float(at), "dev_loss": loss} for at, loss in dev_losses]
    found += [{"step": float(at), "dev_score": score} for at, score in dev_scores]
    return sorted(found, key=lambda point: point["step"])
