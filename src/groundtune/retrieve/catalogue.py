"""What a search knows of documents: which of them a filter lets through.

A filter is evaluated on the metadata of each document, here and in memory. What goes on
to the engine is a typed expression over hashes of documents.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError
from groundtune.retrieve.condition import DOCUMENT
from groundtune.retrieve.durable import engine_errors

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.retrieve.filter import Filter

RESERVED_KEYS = ("author", "date", "lang", "page_count", "source_format", "title")
"""What readers may give; a filter may ask for them though no document has them."""

_NARROW_SHARE = 0.1
"""Up to this share of the passages the engine is told which documents count. Above it,
that list is longer than the results that have to be thrown away without it."""
_KEPT = 64
"""Filters whose documents are remembered."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """The documents that a search may find."""

    keys: frozenset[str]
    """Hashes of their names."""
    share: float
    """Of all passages."""

    @property
    def is_narrow(self) -> bool:
        """Whether the engine should be told beforehand."""
        return self.share <= _NARROW_SHARE

    def expression(self) -> Any:  # noqa: ANN401 (a LanceDB expression)
        """The typed filter for the engine."""
        from lancedb.expr import col

        return col("key").isin(sorted(self.keys))


class Catalogue:
    """Metadata of every document at one version; read when first asked for."""

    def __init__(self, table: Any, *, where: Path) -> None:  # noqa: ANN401
        self._table = table
        self._where = where
        self._known: dict[Filter, Restriction] = {}

    def restrict(self, where: Filter) -> Restriction:
        """The documents that a filter lets through; there may be none.

        Raises:
            ConfigError: No document has a key that the filter asks for.
        """
        if where not in self._known:
            self._check_keys(where)
            chosen = {
                key for key, metadata, _ in self._documents if where.matches(metadata)
            }
            passages = sum(n for key, _, n in self._documents if key in chosen)
            total = sum(n for _, _, n in self._documents)
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            share = passages / total if total else 0.0
            self._known[where] = Restriction(frozenset(chosen), share)
        return self._known[where]

    @cached_property
    def _documents(self) -> list[tuple[str, dict[str, str], int]]:
        """Key, what is known and number of passages of each document."""
        columns = ["key", "document", "metadata"]
        with engine_errors(self._where):
            rows = self._table.search().select(columns).to_arrow()
        grouped = rows.group_by(columns).aggregate([([], "count_all")])
        return [
            (
                row["key"],
                {**json.loads(row["metadata"]), DOCUMENT: row["document"]},
                row["count_all"],
            )
            for row in grouped.to_pylist()
        ]

    def _check_keys(self, where: Filter) -> None:
        known = {DOCUMENT, *RESERVED_KEYS}
        for _, metadata, _ in self._documents:
            known.update(metadata)
        for key in sorted(where.keys() - known):
            close = get_close_matches(key, sorted(known), n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"no document has {key!r}",
                fix=f"{hint}keys here: {', '.join(sorted(known)[:30])}",
                where="--where",
            )
