"""Values are equal by content, and named by it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FINGERPRINT_VERSION = "k1"
"""Bump when `canonical_json` changes, so that old names cannot collide."""

_READ_BYTES = 1 << 20


def canonical_json(value: Any) -> str:  # noqa: ANN401 (any JSON value or dataclass)
    """Serialise a dataclass or a JSON value to the one text used for hashing.

    Keys are sorted, no spaces, text kept as it is. The form is a contract: to change
    it renames every cached artefact.

    Raises:
        ValueError: A number is NaN or infinite, which JSON cannot hold.
        TypeError: A part is not a JSON type (a Path or a set, say).
    """
    plain = value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = dataclasses.asdict(value)
    return json.dumps(
        plain,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def fingerprint(value: Any) -> str:  # noqa: ANN401 (any JSON value or dataclass)
    """Short, stable name for a value, such as `k1-9f2c0a51d3e7`."""
    text = f"{type(value).__name__}:{canonical_json(value)}"
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return f"{FINGERPRINT_VERSION}-{digest}"


def text_sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
