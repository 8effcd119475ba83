"""What goes into an update beside the documents, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MASS_DELETE = 20
MASS_SHARE = 1 / 3
"""To delete more than both, documents and share of the base, is asked about first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known of the place that documents come from, beside the documents."""

    files: Mapping[str, Path] = field(default_factory=dict["str", "Path"])
    """The files that are read, by the names that documents have by them."""
    present: frozenset[str] = frozenset()
    """Documents and files that are still there and are not offered again."""
    elsewhere: frozenset[str] = frozenset()
    """Documents that are not offered because their files are in another place."""
    confirm: Callable[[int, int], bool] | None = None
    """Asked before a mass delete, with how many go and how many there are; None: a
    mass delete is as good as any other."""


class FailedDocument(NamedTuple):
    """A document that did not go in, and why. Its earlier version stays."""

    document: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What an update did, counted in documents."""

    added: int
    updated: int
    moved: int
    """Same text under another name; the old name is gone."""
    deleted: int
    unchanged: int
    passages: int
    """Passages in the knowledge base now."""
    failed: tuple[FailedDocument, ...] = ()
    warnings: tuple[str, ...] = ()
    """What went wrong beside the documents, and will be tried again."""
