"""Whether a query adapter pays: learned from some dev queries, judged by others.

Every dev query is searched with an adapter that was learned without it and without any
query of its group. What is put into service afterwards is learned from all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from groundtune.core.fingerprint import text_sha256
from groundtune.recipes.optimization.measured import Measured, measure_search
from groundtune.retrieve.query_adapter import fit_query_adapter
from groundtune.retrieve.schema import vectors_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from groundtune.core.protocols import Embedder, Progress, Tokenizer
    from groundtune.recipes.optimization.judge import Judge, Query
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.query_adapter import QueryAdapter

    Floats = npt.NDArray[np.float32]

_FOLDS = 5
_MOST_PASSAGES = 50_000
"""Passages that a query is told apart from, beside the right ones; a larger base is
sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What an adapter is learned from."""

    queries: Sequence[Query]
    right: dict[str, list[str]]
    """Ids of the right passages of each query."""


class AdapterTrial:
    """Learns from the vectors of one knowledge base."""

    def __init__(
        self, base: KnowledgeBase, embedder: Embedder, lessons: Lessons
    ) -> None:
        self._base, self._embedder = base, embedder
        wanted = {name for names in lessons.right.values() for name in names}
        places, self._vectors_P_D = _passages(base, wanted, dim=embedder.dim)
        self._right = {
            name: [places[one] for one in names if one in places]
            for name, names in lessons.right.items()
        }
        self._queries = [query for query in lessons.queries if self._right[query.id]]

    @property
    def count(self) -> int:
        """Queries that there are to learn from."""
        return len(self._queries)

    def learn(self, *, without: set[str] | None = None) -> QueryAdapter:
        """Learn from the queries of every group but these."""
        shunned = without or set()
        kept = [query for query in self._queries if query.group not in shunned]
        vectors_Q_D = self._embedder.encode([query.text for query in kept])
        right = [self._right[query.id] for query in kept]
        return fit_query_adapter(vectors_Q_D, right, self._vectors_P_D)

    def measure(
        self,
        chosen: Measured,
        dev: Sequence[Query],
        *,
        judge: Judge,
        progress: Progress,
    ) -> Measured:
        """What `chosen` finds with an adapter that has not seen the query.

        The unit that is left out is the group, as it is in every interval.
        """
        folds = [_fold(query.group) for query in dev]
        gains = [0.0] * len(dev)
        parts: list[Measured] = []
        numbers = sorted(set(folds))
        for done, number in enumerate(numbers):
            progress("learning a query adapter", done, len(numbers))
            members = [place for place, fold in enumerate(folds) if fold == number]
            groups = {
                query.group for query in self._queries if _fold(query.group) == number
            }
            part = measure_search(
                self._base,
                _Adapted(self._embedder, self.learn(without=groups)),
                chosen.settings,
                queries=[dev[place] for place in members],
                judge=judge,
            )
            parts.append(part)
            for place, gain in zip(members, part.gains, strict=True):
                gains[place] = gain
        progress("learning a query adapter", len(numbers), len(numbers))
        return replace(
            chosen,
            gains=tuple(gains),
            search_ms=float(np.median([part.search_ms for part in parts])),
            shown=float(np.mean([part.shown for part in parts])),
        )


class _Adapted:
    """An embedder of queries with an adapter behind it."""

    def __init__(self, inner: Embedder, adapter: QueryAdapter) -> None:
        self._inner, self._adapter = inner, adapter

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def dim(self) -> int:
        return self._inner.dim

    @property
    def tokenizer(self) -> Tokenizer:
        return self._inner.tokenizer

    @property
    def max_tokens(self) -> int:
        return self._inner.max_tokens

    def encode(self, texts: Sequence[str]) -> Floats:
        return self._adapter.apply(self._inner.encode(texts))


def _fold(group: str) -> int:
    return int(text_sha256(group)[:8], 16) % _FOLDS


def _passages(
    base: KnowledgeBase, wanted: set[str], *, dim: int
) -> tuple[dict[str, int], Floats]:
    """Place of each passage by id, and the vectors: those wanted and an even sample."""
    import pyarrow as pa

    step = -(-base.count // _MOST_PASSAGES)
    names: list[str] = []
    blocks: list[Floats] = []
    seen = 0
    for batch in base.scan(["id", "vector"]):
        ids: list[str] = batch.column("id").to_pylist()
        kept = [
            place
            for place, name in enumerate(ids)
            if name in wanted or (seen + place) % step == 0
        ]
        blocks.append(vectors_of(pa.Table.from_batches([batch]), dim=dim)[kept])
        names.extend(ids[place] for place in kept)
        seen += len(ids)
    return {name: place for place, name in enumerate(names)}, np.concatenate(blocks)
