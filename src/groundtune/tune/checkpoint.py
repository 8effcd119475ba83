"""What a training needs to go on exactly where a crash or a kill stopped it.

Weights and optimiser moments in safetensors, the rest in JSON; never pickle. A
checkpoint is two files: the tensors under a name of their own, then the state that
points at them, each published atomically, so a kill at any moment leaves one whole.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from groundtune.core.errors import StoreError
from groundtune.core.fingerprint import file_sha256
from groundtune.store.files import (
    explained,
    read_json,
    replacement,
    sync_folder,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

_STATE = "state.json"


@dataclass(slots=True)
class TrainState:
    """Where a training stands between two optimiser steps."""

    plan: str
    """Fingerprint of data, settings and base: another plan starts afresh."""
    step: int = 0
    """Steps done."""
    tokens: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    """Learning rate of the last step."""
    train_losses: list[float] = field(default_factory=list[float])
    """Mean answer-token loss of each step, in nats."""
    dev_losses: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    """Step and dev loss of each evaluation."""
    best_step: int = 0
    best_loss: float | None = None
    bad: int = 0
    """Evaluations since the best one."""
    done: bool = False


class CheckpointFolder:
    """Saves and restores the one current checkpoint of a training."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, state: TrainState, tensors: Mapping[str, torch.Tensor]) -> None:
        """Replace the checkpoint. Whole or not at all.

        Raises:
            StoreError: The disk is full, say; the previous checkpoint stands.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        name = f"step-{state.step:06d}.safetensors"
        target = self.path / name
        with explained(target):
            self.path.mkdir(parents=True, exist_ok=True)
            with replacement(target) as part:
                try:
                    # From the tensors themselves: no second copy of all in memory.
                    save_file(dict(tensors), part)
                except SafetensorError as error:
                    raise OSError(str(error)) from error
            sync_folder(self.path)
        written = {
            "state": asdict(state),
            "tensors": name,
            "sha256": file_sha256(target),
        }
        write_json(self.path / _STATE, written)
        for old in self.path.glob("*.safetensors"):
            if old.name != name:
                old.unlink()

    def load(self, *, plan: str) -> tuple[TrainState, dict[str, torch.Tensor]] | None:
        """The checkpoint, if there is one and it belongs to `plan`.

        Raises:
            StoreError: Its tensors are damaged.
        """
        from safetensors.torch import load_file

        if not (self.path / _STATE).exists():
            return None
        written = read_json(self.path / _STATE)
        state = TrainState(**written["state"])
        if state.plan != plan:
            return None
        state.dev_losses = [(step, loss) for step, loss in state.dev_losses]
        tensors = self.path / written["tensors"]
        if not tensors.exists() or file_sha256(tensors) != written["sha256"]:
            raise StoreError(
                "the checkpoint is damaged",
                fix="delete the folder; training starts again from the beginning",
                where=str(self.path),
            )
        return state, load_file(tensors)
