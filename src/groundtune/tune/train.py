"""Step 4 of fine-tuning: the training loop, resumable to the bit.

Weights are trained in the model's dtype with fp32 masters. The order of the data is a
plan made beforehand (`dataset.plan_steps`) and the learning rate depends on the step
alone, so the state of a training is its tensors and its step.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.tune.checkpoint import CheckpointFolder, TrainState
from groundtune.tune.dataset import plan_steps
from groundtune.tune.evaluate import answer_losses, mean_loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import torch

    from groundtune.config.training import TrainSettings
    from groundtune.core.protocols import Progress
    from groundtune.tune.dataset import Pack

_CLIP_NORM = 1.0
_BETAS = (0.9, 0.98)
_FLOOR = 0.02
"""Learning rate at the last step, as a share of its peak."""
_CHECKPOINT_SECONDS = 20.0
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
) -> Trained:
    """Train the adapter of `model` and leave its best weights in it.

    Dev loss is measured `settings.evaluations` times; training stops early after
    `settings.patience` of them without a better one. Without dev packs the last
    weights are the best. Run again with the same arguments after an interruption, it
    goes on from the last checkpoint in `folder` and ends in the same weights.

    Raises:
        StoreError: A checkpoint could not be written or read.
    """
    loop = _Loop(model, packs, dev, settings, seed)
    checkpoints = CheckpointFolder(folder)
    state = TrainState(plan=loop.plan)
    if (found := checkpoints.load(plan=loop.plan)) is not None:
        state, tensors = found
        loop.restore(tensors)
    saved = time.perf_counter()
    total = len(loop.steps)
    while not state.done:
        progress("training", state.step, total)
        began = time.perf_counter()
        loop.step(state)
        if state.step % loop.every == 0 or state.step == total:
            loop.evaluate(state)
        state.done = state.done or state.step == total
        state.seconds += time.perf_counter() - began
        if state.done or time.perf_counter() - saved > _CHECKPOINT_SECONDS:
            checkpoints.save(state, loop.tensors())
            saved = time.perf_counter()
    progress("training", total, total)
    loop.use_best()
    return Trained(state, settings)


class _Loop:
    """The tensors of a training and the three things done to them."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        packs: Sequence[Pack],
        dev: Sequence[Pack],
        settings: TrainSettings,
        seed: int,
    ) -> None:
        import torch

        self._model, self._packs, self._dev = model, packs, dev
        self._settings = settings
        self.steps = plan_steps(packs, settings, seed=seed)
        self.every = max(1, -(-len(self.steps) // settings.evaluations))
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self._names = [name for name, _ in named]
        self._weights: list[torch.Tensor] = [weight for _, weight in named]
        self._masters = [w.detach().float().clone() for w in self._weights]
        self._best = [master.clone() for master in self._masters]
        self._optimizer = torch.optim.AdamW(
            self._masters, lr=settings.learning_rate, betas=_BETAS, weight_decay=0.0
        )
        self.plan = fingerprint(
            {
                "steps": self.steps,
                "packs": [_content(pack) for pack in packs],
                "dev": [_content(pack) for pack in dev],
                "settings": fingerprint(settings),
                "dtype": str(model.dtype),
                "weights": [_digest(master) for master in self._masters],
            }
        )

    def step(self, state: TrainState) -> None:
        """Make one optimiser step; the loss is the mean over its answer tokens."""
        import torch

        packs = [self._packs[index] for index in self.steps[state.step]]
        targets = sum(pack.targets for pack in packs)
        self._model.train()
        loss = 0.0
        for batch in _micro_batches(packs, _MICRO_TOKENS[self._model.device.type]):
            # Divided by the whole step's tokens: splitting a step changes nothing.
            part = answer_losses(self._model, batch).sum() / targets
            part.backward()
            loss += float(part.detach())
        for weight, master in zip(self._weights, self._masters, strict=True):
            assert weight.grad is not None, "every adapter weight has a gradient"
            master.grad = weight.grad.float()
            weight.grad = None
        torch.nn.utils.clip_grad_norm_(self._masters, _CLIP_NORM)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(state.step)
        self._optimizer.step()
        self._write(self._masters)
        state.step += 1
        state.tokens += sum(len(pack) for pack in packs)
        state.train_losses.append(loss)

    def evaluate(self, state: TrainState) -> None:
        """Measure dev loss, remember the best weights, decide whether to stop."""
        if not self._dev:
            state.best_step = state.step
            self._best = [master.detach().clone() for master in self._masters]
            return
        self._model.eval()
        loss = mean_loss(self._model, self._dev)
        state.dev_losses.append((state.step, loss))
        if state.best_loss is None or loss < state.best_loss:
            state.best_loss, state.best_step, state.bad = loss, state.step, 0
            self._best = [master.detach().clone() for master in self._masters]
        else:
            state.bad += 1
            state.done = state.bad >= self._settings.patience

    def use_best(self) -> None:
        """Put the best weights into the model."""
        self._write(self._best)
        self._model.eval()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that `restore` needs, by name."""
        moments = self._optimizer.state_dict()["state"]
        out: dict[str, torch.Tensor] = {}
        for number, name in enumerate(self._names):
            out[f"master.{name}"] = self._masters[number].detach()
            out[f"best.{name}"] = self._best[number]
            for key, value in moments[number].items():
                out[f"{key}.{name}"] = value
        return out

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take up the tensors of a checkpoint."""
        import torch

        state = self._optimizer.state_dict()
        for number, name in enumerate(self._names):
            with torch.no_grad():
                self._masters[number].copy_(tensors[f"master.{name}"])
            self._best[number] = tensors[f"best.{name}"]
            state["state"][number] = {
                key: tensors[f"{key}.{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
            }
        self._optimizer.load_state_dict(state)
        self._write(self._masters)

    def _write(self, values: Sequence[torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for weight, value in zip(self._weights, values, strict=True):
                weight.copy_(value)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to `_FLOOR` of the peak."""
        settings, total = self._settings, len(self.steps)
        warm = min(1.0, (step + 1) / settings.warmup_steps)
        left = 1.0 - step / max(total, 1)
        return settings.learning_rate * min(warm, max(left, _FLOOR))


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


def _digest(tensor: torch.Tensor) -> str:
    import hashlib

    raw = tensor.detach().cpu().contiguous().numpy().tobytes()
    return hashlib.blake2b(raw, digest_size=8).hexdigest()
