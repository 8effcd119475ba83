"""Step 4: what a training step of an encoder with a head is. `loop` does the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.store.files import read_json, write_json
from groundtune.tune.distributed import team
from groundtune.tune.encoder.dataset import (
    UNKNOWN_LABEL,
    collate,
    hide_words,
    micro_batches,
    plan_steps,
)
from groundtune.tune.encoder.evaluate import (
    batch_logits,
    case_logits,
    item_logits,
    mean_loss,
)
from groundtune.tune.encoder.frozen import frozen_states
from groundtune.tune.encoder.modify import (
    class_weights,
    first_trained,
    open_layers,
    weight_groups,
)
from groundtune.tune.encoder.weights import EncoderWeights
from groundtune.tune.loop import Step, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import torch

    from groundtune.config.encoder import EncoderSettings
    from groundtune.core.protocols import Progress
    from groundtune.tune.checkpoint import TrainState
    from groundtune.tune.encoder.dataset import Item
    from groundtune.tune.encoder.frozen import FrozenStates
    from groundtune.tune.encoder.pretrained import LabelModel
    from groundtune.tune.loop import Observe

    Floats = npt.NDArray[np.float32]
    Score = Callable[[Sequence[Floats]], float]

MICRO_TOKENS = {"cpu": 4096, "cuda": 65_536}
"""Padded tokens a forward pass may hold at first; less where memory does not do."""
_LOSS_SHARE = 0.05
"""What a nat of dev loss weighs against the whole of the score, to settle ties."""


class LabelTrainer:
    """See `loop.Trainer`.

    Args:
        model: With its strategy applied.
        items: To learn from.
        dev: Held-out items; may be empty.
        dev_cases: How many cases those are.
        score: Their primary measure, 0 to 1, of logits by case.
        settings: How to train.
        seed: Of orders and dropout.
        base: Name and hash of the base; part of the plan.
        folder: For checkpoint and cached states.
        dtype: What to compute in.
        mask_id: The token that hides others, where settings hide any.
        is_grouped: Whether steps are made of items of like length.
        is_cached: Whether the states of frozen layers are kept on disk.
        progress: Told of the work before the first step.

    Raises:
        ConfigError: Words are to be hidden, and there is nothing to hide them behind.
    """

    def __init__(
        self,
        model: LabelModel,
        items: Sequence[Item],
        *,
        dev: Sequence[Item],
        dev_cases: int,
        score: Score,
        settings: EncoderSettings,
        seed: int,
        base: str,
        folder: Path,
        dtype: torch.dtype,
        mask_id: int | None = None,
        is_grouped: bool = True,
        is_cached: bool = True,
        progress: Progress = silent,
    ) -> None:
        import torch

        if settings.word_masking and mask_id is None:
            raise ConfigError(
                "word_masking needs a mask token, and this model's tokenizer has none",
                fix="set word_masking=0",
                where="encoder.word_masking",
            )
        self._model, self._items, self._settings = model, items, settings
        self._mask_id = mask_id
        self._dev, self._dev_cases, self._score = dev, dev_cases, score
        self._autocast = torch.autocast(
            model.device.type,
            dtype=torch.bfloat16,
            enabled=dtype == torch.bfloat16,
        )
        self._lengths = [len(item) for item in items]
        self._order = plan_steps(
            self._lengths,
            batch_items=settings.batch_items,
            epochs=settings.epochs,
            seed=seed,
            is_grouped=is_grouped,
        )
        self._per_epoch = -(-len(items) // settings.batch_items)
        weights = class_weights(
            [item.gold_S for item in items], count=len(model.labels), settings=settings
        )
        self._label_weights = (
            None if weights is None else torch.tensor(weights, device=model.device)
        )
        self._layers = first_trained(model, settings)
        self.micro_tokens = MICRO_TOKENS[model.device.type]
        self.seed = seed
        self.steps = len(self._order)
        self.evaluate_every = max(1, -(-self.steps // settings.evaluations))
        self.patience = settings.patience
        model.bert.embeddings.word_embeddings.sparse = True
        self.weights = EncoderWeights(
            weight_groups(model, settings), averaging=settings.averaging
        )
        # The first weights follow from all this, and a checkpoint holds every weight
        # that is trained: how they came out to the last bit need not be known.
        self.plan = fingerprint(
            {
                "base": base,
                "labels": list(model.labels),
                "settings": asdict(settings),
                "seed": seed,
                "dtype": str(dtype),
                "steps": self._order,
                "items": [_content(item) for item in items],
                "dev": [_content(item) for item in dev],
            }
        )
        self._states: FrozenStates | None = None
        self._dev_states: FrozenStates | None = None
        if self._layers > 0 and is_cached:
            with team().main_first():
                self._states, self._dev_states = (
                    frozen_states(
                        model,
                        part,
                        layers=self._layers,
                        folder=folder / "states",
                        name=name,
                        plan=fingerprint({"base": base, "dtype": str(dtype)}),
                        autocast=self._autocast,
                        progress=progress,
                    )
                    if part
                    else None
                    for name, part in (("train", items), ("dev", dev))
                )

    def rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to nothing."""
        settings = self._settings
        warm = max(1, round(settings.warmup_share * self.steps))
        rise = (step + 1) / warm
        fall = (self.steps - step) / max(1, self.steps - warm)
        return settings.learning_rate * min(1.0, rise, fall)

    def backward(self, step: int) -> Step:
        """The loss is the mean over the step's labels, each with its label's weight."""
        numbers = self._order[step]
        loss = self._accumulate(numbers, step=step, boundary=self._boundary(step))
        return Step(loss, sum(self._lengths[number] for number in numbers))

    def dev_loss(self) -> float | None:
        """1 minus the score; of two equal scores the surer one is better."""
        if not self._dev:
            return None
        logits = item_logits(
            self._model,
            self._dev,
            autocast=self._autocast,
            states=self._dev_states,
            layers=self._layers if self._dev_states else 0,
        )
        score = self._score(case_logits(self._dev, logits, cases=self._dev_cases))
        return 1.0 - score + _LOSS_SHARE * mean_loss(self._dev, logits)

    def try_longest(self) -> None:
        """Run the longest step before the first one, and shrink what does not fit.

        Memory is then known at once. The size of a step stays as it was set: it is
        only made of more and smaller batches.

        Raises:
            DataError: A single text does not fit into memory.
        """
        import torch

        longest = max(self._order, key=lambda step: max(self._lengths[i] for i in step))
        while True:
            try:
                with torch.random.fork_rng():
                    self._accumulate(longest, step=0, boundary=self._layers or -1)
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._forget_gradients()
                widest = max(self._lengths[number] for number in longest)
                if self.micro_tokens <= widest:
                    raise DataError(
                        f"a text of {widest} tokens does not fit into memory",
                        fix="free memory, lower max_tokens, or freeze more layers",
                        where="training",
                    ) from error
                self.micro_tokens = max(widest, self.micro_tokens // 2)
            else:
                self._forget_gradients()
                return

    def _forget_gradients(self) -> None:
        for _, weight in self._model.named_weights():
            weight.grad = None

    def _boundary(self, step: int) -> int:
        """Layers below this one are frozen at a step; -1 opens the embeddings."""
        opened = open_layers(
            step, per_epoch=self._per_epoch, epochs=self._settings.unfreeze_epochs
        )
        lowest = self._layers or -1
        if opened is None:
            return lowest
        closed = self._model.depth - opened
        return max(lowest, closed if closed >= 0 else -1)

    def _accumulate(self, numbers: Sequence[int], *, step: int, boundary: int) -> float:
        import torch

        layers = self._layers if self._states is not None else 0
        weights = self._label_weights
        gold_S = np.concatenate([self._items[number].gold_S for number in numbers])
        gold_S = gold_S[gold_S != UNKNOWN_LABEL]
        # Divided by the whole step's labels: splitting a step changes nothing.
        total = (
            float(len(gold_S))
            if weights is None
            else float(weights.cpu().numpy()[gold_S].sum())
        )
        self._model.training_mode(
            first=max(boundary, 0),
            embeddings=boundary < 0
            and self._model.bert.embeddings.LayerNorm.weight.requires_grad,
        )
        loss = 0.0
        mine = team().share(numbers, self._lengths)
        parts = micro_batches(mine, self._lengths, most_tokens=self.micro_tokens)
        for part in parts:
            batch = collate(self._shown(part, step=step))
            with self._autocast:
                logits_S_L = batch_logits(
                    self._model,
                    batch,
                    numbers=part,
                    states=self._states,
                    layers=layers,
                    boundary=boundary,
                )
            losses = torch.nn.functional.cross_entropy(
                logits_S_L.float(),
                torch.from_numpy(batch.gold_S).to(logits_S_L.device),
                weight=weights,
                ignore_index=UNKNOWN_LABEL,
                label_smoothing=self._settings.label_smoothing,
                reduction="sum",
            )
            share = losses / max(total, 1e-9)
            share.backward()
            loss += float(share.detach())
        return loss

    def _shown(self, numbers: Sequence[int], *, step: int) -> list[Item]:
        """Items as a step is to see them."""
        items = [self._items[number] for number in numbers]
        if self._mask_id is None or not self._settings.word_masking:
            return items
        return hide_words(
            items,
            numbers,
            share=self._settings.word_masking,
            mask_id=self._mask_id,
            key=(self.seed, step),
        )


def train_labels(
    trainer: LabelTrainer,
    *,
    folder: Path,
    progress: Progress = silent,
    observe: Observe | None = None,
) -> TrainState:
    """Train, and leave the best weights in the model.

    Run again with the same arguments after an interruption, it goes on from the last
    checkpoint in `folder` and ends in the same weights.

    Raises:
        DataError: Memory does not do for a single text.
        StoreError: A checkpoint could not be written or read.
    """
    stamp = folder / "memory.json"
    remembered: dict[str, Any] = read_json(stamp) if stamp.exists() else {}
    crew = team()
    crew.wait()  # until all have read what the first may write again
    if remembered.get("plan") == trainer.plan:
        # Another split of a step would end in other weights.
        trainer.micro_tokens = int(remembered["micro_tokens"])
    else:
        trainer.try_longest()
        trainer.micro_tokens = crew.least(trainer.micro_tokens)
        written = {"plan": trainer.plan, "micro_tokens": trainer.micro_tokens}
        if crew.is_main:
            write_json(stamp, written)
    # A fitted head may be better than all that comes after it.
    state = run(
        trainer,
        folder=folder,
        label="training",
        progress=progress,
        observe=observe,
        evaluate_first=True,
    )
    trainer.weights.use_best()
    return state


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "allocate memory" in str(error)


def _content(item: Item) -> str:
    import hashlib

    digest = hashlib.blake2b(digest_size=8)
    for part in (item.ids_T, item.places_S, item.gold_S):
        digest.update(part.tobytes())
    return digest.hexdigest()
