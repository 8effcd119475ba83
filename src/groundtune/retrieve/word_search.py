"""BM25 over the terms of the passages, from the index on disk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.schema import TERMS
from groundtune.retrieve.words import terms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from groundtune.retrieve.catalogue import Restriction
    from groundtune.retrieve.nearest import PassageVectors

_SPARE = 32
"""Passages that the engine is asked for beyond those needed, to see where ties end."""


class WordSearch:
    """The best passages by words, in a table of passages at one version."""

    def __init__(
        self,
        table: Any,  # noqa: ANN401 (a LanceDB table)
        vectors: PassageVectors,
        *,
        languages: Sequence[str],
        where: Path,
    ) -> None:
        """Open the index.

        Args:
            table: The passages.
            vectors: Which know a passage's row by its address.
            languages: By which passages were stemmed, and queries are.
            where: The knowledge base, for messages.
        """
        self._table = table
        self._vectors = vectors
        self._languages = languages
        self._where = where

    def best(
        self, query: str, limit: int, only: Restriction | None
    ) -> dict[int, float]:
        """The best `limit` passages by words, by row; ties go to the lower row."""
        # Each word counts once: that somebody says it twice makes it no better a sign.
        text = " ".join(dict.fromkeys(terms(query, self._languages).split()))
        if not text:
            return {}
        asked = limit + _SPARE
        if only is not None and not only.is_narrow:
            asked = math.ceil(asked / only.share)
        while True:
            found, last = self._match(text, asked, only)
            kept = sorted(found, key=lambda row: (-found[row], row))[:limit]
            # Which of equal passages comes last is the engine's own affair: where a
            # tie reaches the end of its list, ask for more.
            is_enough = len(kept) == limit and found[kept[-1]] > last
            if is_enough or last == -math.inf:
                return {row: found[row] for row in kept}
            asked *= 4

    def _match(
        self, text: str, limit: int, only: Restriction | None
    ) -> tuple[dict[int, float], float]:
        """Allowed passages among the engine's best, and the score of its last one.

        That is minus infinity if these are all that have any of the words.
        """
        from lancedb import query as fulltext

        match: Any = fulltext.MatchQuery  # its stub asks for what has a default
        columns = ["_score"]
        query = self._table.search(match(text, TERMS), query_type="fts").limit(limit)
        if only is not None and only.is_narrow:
            query = query.where(only.expression())
        elif only is not None:
            columns.append("key")
        with engine_errors(self._where):
            rows = query.select(columns).with_row_id(True).to_arrow()  # noqa: FBT003 (their signature)
        addresses: list[int] = rows.column("_rowid").to_pylist()
        scores: list[float] = rows.column("_score").to_pylist()
        last = min(scores) if len(scores) == limit else -math.inf
        pairs = zip(addresses, scores, strict=True)
        if len(columns) > 1 and only is not None:
            keys = rows.column("key").to_pylist()
            chosen = zip(pairs, keys, strict=True)
            pairs = (pair for pair, key in chosen if key in only.keys)
        return {self._vectors.row_of(address): s for address, s in pairs}, last


def languages_of(table: Any, *, where: Path) -> list[str]:  # noqa: ANN401 (a LanceDB table)
    """Languages by which the passages of a table were stemmed."""
    import pyarrow.compute as pc

    with engine_errors(where):
        rows = table.search().select(["lang"]).to_arrow()
    distinct: Any = pc
    return sorted(distinct.unique(rows.column("lang")).to_pylist())
