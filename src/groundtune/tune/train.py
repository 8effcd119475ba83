"""Step 4 of fine-tuning, for generators: what a step of an adapter's training is.

Weights are trained in the model's dtype with fp32 masters. The order of the data is a
plan made beforehand (`dataset.plan_steps`); `loop` does the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.tune.dataset import plan_steps
from groundtune.tune.distributed import team
from groundtune.tune.evaluate import answer_losses, mean_loss
from groundtune.tune.loop import Step, TrainedWeights, WeightGroup, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from groundtune.config.training import TrainSettings
    from groundtune.core.protocols import Progress
    from groundtune.tune.checkpoint import TrainState
    from groundtune.tune.dataset import Pack
    from groundtune.tune.loop import Observe

_BETAS = (0.9, 0.98)
_FLOOR = 0.02
"""Learning rate at the last step, as a share of its peak."""
_MICRO_TOKENS = {"cpu": 1, "cuda": 16_384}
"""Padded tokens a forward pass may hold: on a CPU a batch is no faster than its packs
one by one, and takes more memory; an accelerator wants width."""


class Trained(NamedTuple):
    """What a training did. The model carries its best weights."""

    state: TrainState
    settings: TrainSettings


def train(
    model: Any,  # noqa: ANN401 (peft gives no useful type)
    packs: Sequence[Pack],
    *,
    dev: Sequence[Pack],
    settings: TrainSettings,
    folder: Path,
    seed: int,
    progress: Progress = silent,
    observe: Observe | None = None,
) -> Trained:
    """Train the adapter of `model` and leave its best weights in it.

    Dev loss is measured `settings.evaluations` times; training stops early after
    `settings.patience` of them without a better one. Without dev packs the last
    weights are the best. Run again with the same arguments after an interruption, it
    goes on from the last checkpoint in `folder` and ends in the same weights.

    Raises:
        StoreError: A checkpoint could not be written or read.
    """
    trainer = _AdapterTrainer(model, packs, dev, settings, seed)
    state = run(
        trainer, folder=folder, label="training", progress=progress, observe=observe
    )
    trainer.weights.use_best()
    model.eval()
    return Trained(state, settings)


class _AdapterTrainer:
    """See `loop.Trainer`."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        packs: Sequence[Pack],
        dev: Sequence[Pack],
        settings: TrainSettings,
        seed: int,
    ) -> None:
        self._model, self._packs, self._dev = model, packs, dev
        self._settings = settings
        self._lengths = [len(pack) for pack in packs]
        self._order = plan_steps(packs, settings, seed=seed)
        self._trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.seed = seed
        self.steps = len(self._order)
        self.evaluate_every = max(1, -(-self.steps // settings.evaluations))
        self.patience = settings.patience
        self.weights = TrainedWeights(
            [WeightGroup(self._trained)], betas=_BETAS, fused=True
        )
        self.plan = fingerprint(
            {
                "steps": self._order,
                "packs": [_content(pack) for pack in packs],
                "dev": [_content(pack) for pack in dev],
                "settings": fingerprint(settings),
                "dtype": str(model.dtype),
                "weights": self.weights.digests(),
            }
        )

    def rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to `_FLOOR` of the peak."""
        settings = self._settings
        warm = min(1.0, (step + 1) / settings.warmup_steps)
        left = 1.0 - step / max(self.steps, 1)
        return settings.learning_rate * min(warm, max(left, _FLOOR))

    def backward(self, step: int) -> Step:
        """The loss is the mean over the step's answer tokens."""
        numbers = self._order[step]
        targets = sum(self._packs[number].targets for number in numbers)
        mine = team().share(numbers, self._lengths)
        packs = [self._packs[number] for number in mine]
        self._model.train()
        loss = 0.0
        for batch in _micro_batches(packs, _MICRO_TOKENS[self._model.device.type]):
            # Divided by the whole step's tokens: splitting a step changes nothing.
            part = answer_losses(self._model, batch).sum() / targets
            part.backward()
            loss += float(part.detach())
        assert not mine or all(w.grad is not None for _, w in self._trained), (
            "every adapter weight has a gradient"
        )
        return Step(loss, sum(self._lengths[number] for number in numbers))

    def dev_loss(self) -> float | None:
        """Mean loss of the dev packs' answer tokens."""
        if not self._dev:
            return None
        self._model.eval()
        return mean_loss(self._model, self._dev)


def _micro_batches(packs: Sequence[Pack], most: int) -> Iterator[list[Pack]]:
    """Consecutive packs whose padded size is at most `most`, or one pack."""
    batch: list[Pack] = []
    for pack in packs:
        width = max(len(pack), *(len(other) for other in batch), 0)
        if batch and width * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(pack)
    if batch:
        yield batch


def _content(pack: Pack) -> str:
    import hashlib

    digest = hashlib.blake2b(digest_size=8)
    for part in (pack.tokens_T, pack.segments_T, pack.labels_T):
        digest.update(part.tobytes())
    return digest.hexdigest()
