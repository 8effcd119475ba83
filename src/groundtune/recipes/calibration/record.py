"""What was learned about a system's answers, kept with the knowledge base.

A record belongs to one way of answering: the generator, its prompt and the retrieval
settings. Another way has a key of its own, and is not calibrated by it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.generate.confidence import SIGNALS_VERSION, Confidence
from groundtune.store.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.systems.build import SystemSpec

FOLDER = "calibration"
"""Folder inside a knowledge base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What turns an answer of one system into a decision to stand by it."""

    confidence: Confidence
    threshold: float
    """Answers of less confidence are withheld."""


def record_key(spec: SystemSpec, *, weights: str) -> str:
    """The name of the record of one way of answering.

    Args:
        spec: The system.
        weights: Hash of its generator's weights, or its name at an endpoint.
    """
    made_of = {
        "signals": SIGNALS_VERSION,
        "weights": weights,
        "style": spec.style,
        "embedder": spec.embedder,
        "retrieval": spec.retrieval,
        "max_tokens": spec.max_tokens,
    }
    return fingerprint(made_of)[:16]


def record_path(kb: Path, key: str) -> Path:
    """Where a record stands."""
    return kb / FOLDER / f"{key}.json"


def write_record(
    kb: Path, key: str, calibration: Calibration, *, why: dict[str, Any]
) -> Path:
    """Keep a calibration, and the figures that speak for it.

    Raises:
        StoreError: It cannot be written.
    """
    path = record_path(kb, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**asdict(calibration), "why": why})
    return path


def read_record(kb: Path, key: str) -> Calibration | None:
    """The calibration of a way of answering; None where there is none.

    Raises:
        ConfigError: The file is damaged.
    """
    path = record_path(kb, key)
    if not path.exists():
        return None
    try:
        raw = read_json(path)
        return Calibration(
            confidence=Confidence(**raw["confidence"]),
            threshold=float(raw["threshold"]),
        )
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the calibration cannot be read: {error}",
            fix="run groundtune calibrate again, or delete the file",
            where=str(path),
        ) from error
