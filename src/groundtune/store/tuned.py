"""The folder that a training writes: whether it may, and what stands there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError
from groundtune.store.files import read_json
from groundtune.store.models import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path


def check_place(out: Path) -> None:
    """A folder that is no model of ours is not written over.

    Raises:
        ConfigError: Something else stands there.
    """
    is_foreign = not out.is_dir() or (
        not (out / MANIFEST).exists() and any(out.iterdir())
    )
    if out.exists() and is_foreign:
        raise ConfigError(
            "it stands already and is no model",
            fix="name a new folder",
            where=str(out),
        )


def finished(out: Path, *, plan: str) -> dict[str, Any] | None:
    """The manifest of the model that stands there, if this plan made it."""
    if not (out / MANIFEST).exists():
        return None
    written: dict[str, Any] = read_json(out / MANIFEST)
    return written if written.get("plan") == plan else None


def checkpoint_folder(out: Path) -> Path:
    """Where the training of a model keeps what it needs to go on: beside it, hidden."""
    return out.with_name(f".{out.name.lstrip('.')}.checkpoint")
