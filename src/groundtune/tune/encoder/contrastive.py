"""Few examples: texts of one label are drawn together, then a linear head is fitted.

The idea is SetFit's (arXiv 2209.11055): with a handful of examples a label, pairs teach
more than single texts. Pairs are not written out and embedded one by one, though: each
text of a step is embedded once and compared with all others of the step (supervised
contrastive loss, arXiv 2004.11362), so that a step of 64 texts holds 2,016 pairs.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from groundtune.core.fingerprint import fingerprint
from groundtune.tune.distributed import team
from groundtune.tune.encoder.dataset import collate
from groundtune.tune.encoder.modify import apply_strategy, weight_groups
from groundtune.tune.encoder.probe import forward_pooled
from groundtune.tune.loop import Step, TrainedWeights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from groundtune.config.encoder import EncoderSettings
    from groundtune.tune.encoder.dataset import Item
    from groundtune.tune.encoder.pretrained import LabelModel

_TOGETHER = 4
"""Texts of one label that enter a step together: each has others to be drawn to."""
_FEWEST_STEPS = 40
_FORWARD_TEXTS = 16
"""Texts of about equal length in one forward pass: little padding."""


def plan_contrasts(
    labels: Sequence[int], *, batch_items: int, epochs: float, seed: int
) -> list[list[int]]:
    """Which texts make which step: a few of one label together, labels mixed anew."""
    rng = np.random.default_rng(seed)
    by_label: dict[int, list[int]] = {}
    for number, label in enumerate(labels):
        by_label.setdefault(label, []).append(number)
    wanted = max(_FEWEST_STEPS, round(epochs * len(labels) / batch_items))
    steps: list[list[int]] = []
    while len(steps) < wanted:
        groups: list[list[int]] = []
        for members in by_label.values():
            mixed = [members[int(i)] for i in rng.permutation(len(members))]
            cuts = range(0, max(1, len(mixed) - 1), _TOGETHER)
            groups += [mixed[at : at + _TOGETHER] for at in cuts]
            # One text alone would have nothing to be drawn to.
            rest = mixed[len(cuts) * _TOGETHER :]
            groups[-1].extend(rest)
        step: list[int] = []
        for place in rng.permutation(len(groups)):
            step.extend(groups[int(place)])
            # With one label alone there is nothing to be told apart from.
            if len(step) >= batch_items and len({labels[i] for i in step}) > 1:
                steps.append(step)
                step = []
        if len({labels[i] for i in step}) > 1:
            steps.append(step)
    return steps[:wanted]


class ContrastiveTrainer:
    """See `loop.Trainer`. The last weights are kept: there is too little for dev."""

    def __init__(
        self,
        model: LabelModel,
        items: Sequence[Item],
        *,
        settings: EncoderSettings,
        seed: int,
        base: str,
        dtype: torch.dtype,
    ) -> None:
        import torch

        team().require_alone("each text of a step is compared with all others")
        self._model, self._items, self._settings = model, items, settings
        self._autocast = torch.autocast(
            model.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16
        )
        self._labels = [int(item.gold_S[0]) for item in items]
        self._order = plan_contrasts(
            self._labels,
            batch_items=settings.batch_items,
            epochs=settings.epochs,
            seed=seed,
        )
        apply_strategy(model, settings, seed=seed)
        # Few texts would wreck the words that they do not hold.
        model.bert.embeddings.requires_grad_(requires_grad=False)
        model.head.requires_grad_(requires_grad=False)
        self.seed = seed
        self.steps = len(self._order)
        self.evaluate_every = self.steps
        self.patience = settings.patience
        self.weights = TrainedWeights(weight_groups(model, settings), fused=True)
        self.plan = fingerprint(
            {
                "base": base,
                "settings": asdict(settings),
                "seed": seed,
                "dtype": str(dtype),
                "steps": self._order,
                "labels": self._labels,
                "items": fingerprint([item.ids_T.tolist() for item in items]),
            }
        )

    def rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to nothing."""
        warm = max(1, round(self._settings.warmup_share * self.steps))
        fall = (self.steps - step) / max(1, self.steps - warm)
        return self._settings.learning_rate * min(1.0, (step + 1) / warm, fall)

    def backward(self, step: int) -> Step:
        """The loss is the mean over the step's texts."""
        numbers = sorted(self._order[step], key=lambda i: len(self._items[i]))
        lowest = self._settings.frozen_layers
        self._model.training_mode(first=lowest, embeddings=False)
        parts: list[torch.Tensor] = []
        for at in range(0, len(numbers), _FORWARD_TEXTS):
            chosen = [self._items[i] for i in numbers[at : at + _FORWARD_TEXTS]]
            batch = collate(chosen)
            with self._autocast:
                parts.append(forward_pooled(self._model, batch.ids_B_T, batch.mask_B_T))
        import torch

        labels_N = torch.tensor([self._labels[i] for i in numbers])
        loss = contrastive_loss(
            torch.cat(parts),
            labels_N.to(self._model.device),
            temperature=self._settings.temperature,
        )
        loss.backward()
        tokens = sum(len(self._items[number]) for number in numbers)
        return Step(float(loss.detach()), tokens)

    def dev_loss(self) -> float | None:
        """Nothing is held out."""
        return None


def contrastive_loss(
    pooled_N_D: torch.Tensor, labels_N: torch.Tensor, *, temperature: float
) -> torch.Tensor:
    """Mean surprise, in nats, that a text's likes are its own label's texts.

    A text whose label stands alone in the step is something to be told apart from, and
    has no term of its own.
    """
    import torch

    unit_N_D = torch.nn.functional.normalize(pooled_N_D.float(), dim=-1)
    likeness_N_N = unit_N_D @ unit_N_D.T / temperature
    itself_N_N = torch.eye(len(labels_N), dtype=torch.bool, device=labels_N.device)
    likeness_N_N = likeness_N_N.masked_fill(itself_N_N, float("-inf"))
    log_N_N = likeness_N_N.log_softmax(dim=-1)
    same_N_N = (labels_N[:, None] == labels_N[None]) & ~itself_N_N
    likes_N = same_N_N.sum(-1)
    summed_N = -log_N_N.masked_fill(~same_N_N, 0.0).sum(-1)
    has_likes_N = likes_N > 0
    return (summed_N[has_likes_N] / likes_N[has_likes_N]).mean()
