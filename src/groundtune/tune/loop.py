"""The loop that every training runs in, resumable to the bit.

A trainer says what a step is made of and how good the weights are; the loop keeps the
weights, their moments and the best of them, stops when nothing gets better, and writes
checkpoints. The order of the data is a plan made beforehand, and both the learning
rate and the chance of a step (dropout) follow from its number: so the tensors and
`TrainState` are all there is to save, and a training that was interrupted ends in the
same weights as one that was not.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from groundtune.core.protocols import NOTE, silent
from groundtune.tune.checkpoint import CheckpointFolder, TrainState
from groundtune.tune.distributed import team

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    import torch

    from groundtune.core.protocols import Progress
    from groundtune.tune.distributed import Team

CHECKPOINT_SECONDS = 20.0
CHECKPOINT_SHARE = 0.05
"""Most of the time that checkpoints may take: large models are saved less often."""
CLIP_NORM = 1.0
_SEED_STRIDE = 1_000_003
_RANK_STRIDE = 7_368_787
_RECENT = 20
"""Steps over which the loss that is shown is averaged."""
OBSERVE_EVERY = 10
"""Steps after which an observer is called at the latest."""
_AVERAGE_EVERY = 4
"""Steps after which running means move: each one apart would take a tenth of a step."""
_AVERAGED_APART = 4 * _AVERAGE_EVERY
"""First steps that are followed one by one."""


class Step(NamedTuple):
    """What one step was, once its gradients are there."""

    loss: float
    """Mean over what the step supervises, in nats; of several processes, what this
    one's share adds to it."""
    tokens: int
    """Of the whole step."""


class Observe(Protocol):
    """Hears where a training stands; what it is given belongs to the loop."""

    def __call__(self, state: TrainState) -> None:
        """Look at the state, and leave it as it is."""
        ...


class WeightGroup(NamedTuple):
    """Weights that are trained alike."""

    named: Sequence[tuple[str, torch.Tensor]]
    rate_scale: float = 1.0
    """Factor on the learning rate of the step."""
    weight_decay: float = 0.0


class TrainedWeights:
    """The tensors that a training changes: masters, moments and the best so far.

    A weight of less than 32 bits has a master in fp32, which the optimiser works on;
    any other weight is its own master.

    Args:
        groups: What is trained.
        betas: How long the moments remember.
        fused: Whether one kernel makes the whole step.
        clips: Whether gradients are shortened here; else the caller has done it.
        averaging: What a running mean of the weights keeps of itself at a step
            (Polyak and Juditsky 1992); 0: no mean. Where there is one, it is what is
            evaluated and remembered.
    """

    def __init__(
        self,
        groups: Iterable[WeightGroup],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        fused: bool = False,
        clips: bool = True,
        averaging: float = 0.0,
    ) -> None:
        import torch

        self._clips, self._averaging, self._updates = clips, averaging, 0
        self._names: list[str] = []
        self._weights: list[torch.Tensor] = []
        self._masters: list[torch.Tensor] = []
        self._scales: list[float] = []
        parts: list[dict[str, object]] = []
        for group in groups:
            weights = [weight for _, weight in group.named]
            masters = [
                w if w.dtype == torch.float32 else w.detach().float().clone()
                for w in weights
            ]
            self._names += [name for name, _ in group.named]
            self._weights += weights
            self._masters += masters
            self._scales.append(group.rate_scale)
            parts.append({"params": masters, "weight_decay": group.weight_decay})
        self._best = [master.detach().clone() for master in self._masters]
        self._means = [one.clone() for one in self._best] if averaging else []
        self._optimizer = torch.optim.AdamW(parts, lr=1.0, betas=betas, fused=fused)

    def update(self, rate: float) -> None:
        """Use up the gradients; a weight that has none is left as it is."""
        import torch

        for weight, master in zip(self._weights, self._masters, strict=True):
            if weight is not master and weight.grad is not None:
                master.grad = weight.grad.float()
                weight.grad = None
        if self._clips:
            torch.nn.utils.clip_grad_norm_(self._masters, CLIP_NORM)
        for group, scale in zip(
            self._optimizer.param_groups, self._scales, strict=True
        ):
            group["lr"] = rate * scale
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._write(self._masters)
        self._move_means()

    @contextmanager
    def averaged(self) -> Generator[None]:
        """The running means stand in the model meanwhile, where there are any."""
        import torch

        if not self._means:
            yield
            return
        kept = [master.detach().clone() for master in self._masters]
        self._write(self._means)
        try:
            yield
        finally:
            with torch.no_grad():
                for master, value in zip(self._masters, kept, strict=True):
                    master.copy_(value)
            self._write(self._masters)

    def keep_best(self) -> None:
        """Remember the weights as they are evaluated."""
        found = self._means or self._masters
        self._best = [one.detach().clone() for one in found]

    def use_best(self) -> None:
        """Put the remembered weights into the model."""
        self._write(self._best)

    def best(self) -> dict[str, torch.Tensor]:
        """The remembered weights by name."""
        return dict(zip(self._names, self._best, strict=True))

    def trained(self) -> list[torch.Tensor]:
        """The weights that steps leave gradients in."""
        return list(self._weights)

    def digests(self) -> list[str]:
        """A hash of each weight, to tell one beginning from another."""
        return [_digest(master) for master in self._masters]

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that `restore` needs, by name."""
        import torch

        moments = self._optimizer.state_dict()["state"]
        out: dict[str, torch.Tensor] = {}
        for number, name in enumerate(self._names):
            out[f"master.{name}"] = self._masters[number].detach()
            out[f"best.{name}"] = self._best[number]
            if self._means:
                out[f"mean.{name}"] = self._means[number]
            # A weight that was never opened has no moments yet.
            for key, value in moments.get(number, {}).items():
                out[f"{key}.{name}"] = value
        if self._means:
            out["updates"] = torch.tensor(self._updates)
        return out

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take up the tensors of a checkpoint."""
        import torch

        state = self._optimizer.state_dict()
        for number, name in enumerate(self._names):
            with torch.no_grad():
                self._masters[number].copy_(tensors[f"master.{name}"])
            self._best[number] = tensors[f"best.{name}"].to(self._masters[number])
            if self._means:
                self._means[number].copy_(tensors[f"mean.{name}"])
            if f"exp_avg.{name}" in tensors:
                state["state"][number] = {
                    key: tensors[f"{key}.{name}"]
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        self._optimizer.load_state_dict(state)
        if self._means:
            self._updates = int(tensors["updates"])
        self._write(self._masters)

    def _move_means(self) -> None:
        import torch

        self._updates += 1
        # Of the first steps each counts: a short training would leave the means as they
        # began.
        every = 1 if self._updates <= _AVERAGED_APART else _AVERAGE_EVERY
        if not self._means or self._updates % every:
            return
        # A short memory at first: the beginning is not worth remembering.
        kept = min(self._averaging, self._updates / (self._updates + 9))
        with torch.no_grad():
            for mean, master in zip(self._means, self._masters, strict=True):
                mean.lerp_(master, 1.0 - kept**every)

    def _write(self, values: Sequence[torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for weight, value in zip(self._weights, values, strict=True):
                if weight is not value:
                    weight.copy_(value)


class Trainer(Protocol):
    """What differs from one kind of training to another."""

    @property
    def plan(self) -> str:
        """Fingerprint of data, settings and first weights."""
        ...

    @property
    def weights(self) -> TrainedWeights:
        """What is trained."""
        ...

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        ...

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations."""
        ...

    @property
    def patience(self) -> int:
        """Evaluations without a better one after which training stops."""
        ...

    @property
    def seed(self) -> int:
        """Of dropout."""
        ...

    def rate(self, step: int) -> float:
        """Learning rate of a step, numbered from 0."""
        ...

    def backward(self, step: int) -> Step:
        """Leave the gradients of a step in the weights.

        Of several processes, each leaves those of its share (`Team.share`), divided by
        what the whole step is divided by.
        """
        ...

    def dev_loss(self) -> float | None:
        """How bad the weights are on held-out data; None where there is none."""
        ...


def run(
    trainer: Trainer,
    *,
    folder: Path,
    label: str,
    progress: Progress = silent,
    observe: Observe | None = None,
    evaluate_first: bool = False,
) -> TrainState:
    """Train until the plan ends or nothing gets better; the best weights are kept.

    They are in `trainer.weights`, and not yet in the model. Without held-out data the
    last weights are the best. Where several processes train, all of them call this and
    end with the same weights; the first of them measures, writes and tells.

    Args:
        trainer: Made afresh, also where an interrupted training goes on.
        folder: Of the checkpoint; one that stands there and has the same plan is
            gone on with.
        label: What progress calls it.
        progress: Told of each step and its loss.
        observe: Told where training stands after each evaluation, and every
            `OBSERVE_EVERY` steps. Where training goes on after an interruption, it
            may hear of a step again.
        evaluate_first: Whether the first weights may be the best.

    Raises:
        StoreError: A checkpoint could not be written or read.
    """
    import torch

    crew = team()
    if not crew.is_main:
        progress, observe = silent, None
    checkpoints = CheckpointFolder(folder)
    state = TrainState(plan=trainer.plan)
    if (found := checkpoints.load(plan=trainer.plan)) is not None:
        state, tensors = found
        trainer.weights.restore(tensors)
    elif crew.size > 1:
        # Some first weights are computed, and must not differ by a bit.
        tensors = trainer.weights.tensors()
        crew.spread(tensors.values())
        trainer.weights.restore(tensors)
    # Nobody is to read a checkpoint that the first has gone on to write.
    assert crew.least(state.step) == state.step, "all processes are at one step"
    if found is None and evaluate_first:
        _evaluate(trainer, state, crew)
    saved, pause = time.perf_counter(), CHECKPOINT_SECONDS
    with torch.random.fork_rng():
        while not state.done:
            progress(_labelled(label, state), state.step, trainer.steps)
            began = time.perf_counter()
            seed = trainer.seed * _SEED_STRIDE + state.step
            torch.manual_seed(seed + crew.rank * _RANK_STRIDE)
            share, tokens = trainer.backward(state.step)
            loss = crew.add_up(trainer.weights.trained(), share)
            state.rate = trainer.rate(state.step)
            trainer.weights.update(state.rate)
            state.step += 1
            state.tokens += tokens
            state.train_losses.append(loss)
            measured = state.step % trainer.evaluate_every == 0
            if measured or state.step == trainer.steps:
                _evaluate(trainer, state, crew)
            state.done = state.done or state.step == trainer.steps
            state.seconds += time.perf_counter() - began
            if observe and (measured or state.done or state.step % OBSERVE_EVERY == 0):
                observe(state)
            if not crew.is_main:
                continue
            if state.done or time.perf_counter() - saved > pause:
                began = time.perf_counter()
                checkpoints.save(state, trainer.weights.tensors())
                saved = time.perf_counter()
                pause = max(CHECKPOINT_SECONDS, (saved - began) / CHECKPOINT_SHARE)
    progress(label, trainer.steps, trainer.steps)
    return state


def _evaluate(trainer: Trainer, state: TrainState, crew: Team) -> None:
    """Measure, remember the best weights, decide whether to stop."""
    loss = crew.of_main(trainer.dev_loss() if crew.is_main else None)
    if loss is None:
        state.best_step = state.step
        trainer.weights.keep_best()
        return
    state.dev_losses.append((state.step, loss))
    if state.best_loss is None or loss < state.best_loss:
        state.best_loss, state.best_step, state.bad = loss, state.step, 0
        trainer.weights.keep_best()
    else:
        state.bad += 1
        state.done = state.bad >= trainer.patience


def _labelled(label: str, state: TrainState) -> str:
    recent = state.train_losses[-_RECENT:]
    return f"{label}{NOTE}loss {sum(recent) / len(recent):.3f}" if recent else label


def _digest(tensor: torch.Tensor) -> str:
    import hashlib

    raw = tensor.detach().cpu().contiguous().numpy().tobytes()
    return hashlib.blake2b(raw, digest_size=8).hexdigest()
