"""Measuring one setting of retrieval, and the quick choice of the fusion weight.

Every setting is measured by the searches that a person would make with it, one query
at a time, so that quality and latency are those of the product.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Embedder, Tokenizer
    from groundtune.recipes.optimization.judge import Judge, Query
    from groundtune.retrieve.index import KnowledgeBase

    Floats = npt.NDArray[np.float32]

ALPHAS = (0.3, 0.5, 0.7, 0.9)
"""Weights that the quick choice tries besides the one given."""

_TIMED = 20
"""Queries that are embedded alone, to know how long one takes."""


class RememberingEmbedder:
    """Embeds each text once: the same queries are searched with many settings."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[str, Floats] = {}

    @property
    def name(self) -> str:
        """See `Embedder.name`."""
        return self._inner.name

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        return self._inner.dim

    @property
    def tokenizer(self) -> Tokenizer:
        """See `Embedder.tokenizer`."""
        return self._inner.tokenizer

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._inner.max_tokens

    def encode(self, texts: Sequence[str]) -> Floats:
        """See `Embedder.encode`."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if fresh:
            rows = self._inner.encode(fresh)
            self._known.update(zip(fresh, rows, strict=True))
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return np.stack([self._known[text] for text in texts])

    def milliseconds(self, texts: Sequence[str]) -> float:
        """Median time that a query takes when it is embedded alone."""
        took: list[float] = []
        for text in texts[:_TIMED]:
            start = time.perf_counter()
            self._inner.encode([text])
            took.append(1000 * (time.perf_counter() - start))
        return statistics.median(took) if took else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What searches with one setting gave."""

    settings: RetrievalSettings
    gains: tuple[float, ...]
    """Quality of each query, in the order of the queries."""
    search_ms: float
    """Median time of a search, the query's embedding left out."""
    shown: float
    """Mean characters of the passages that a question gets."""
    size: int
    """`target` of the splitter that cut the passages, in tokens."""

    @property
    def quality(self) -> float:
        """Mean over the queries."""
        return sum(self.gains) / len(self.gains)


def measure_search(
    kb: KnowledgeBase,
    embedder: Embedder,
    settings: RetrievalSettings,
    *,
    queries: Sequence[Query],
    judge: Judge,
) -> Measured:
    """Search for every query with one setting.

    Raises:
        ValueError: There are no queries (a bug in the caller).
    """
    if not queries:
        raise ValueError("no queries to measure with")
    retriever = HybridRetriever(kb, embedder, settings)
    depth = judge.depth(settings.k)
    # The first search opens files; what it took says nothing of the others.
    retriever.search(queries[0].text, k=depth)
    gains: list[float] = []
    took: list[float] = []
    shown: list[int] = []
    for query in queries:
        start = time.perf_counter()
        hits = retriever.search(query.text, k=depth)
        took.append(1000 * (time.perf_counter() - start))
        gains.append(judge.gain(query.id, hits, k=settings.k))
        shown.append(sum(len(hit.passage.text) for hit in hits[: settings.k]))
    return Measured(
        settings=settings,
        gains=tuple(gains),
        search_ms=statistics.median(took),
        shown=statistics.fmean(shown),
        size=kb.stamp.splitter.target,
    )


def choose_alpha(
    kb: KnowledgeBase,
    embedder: Embedder,
    settings: RetrievalSettings,
    *,
    queries: Sequence[Query],
    judge: Judge,
) -> tuple[RetrievalSettings, dict[str, float]]:
    """Set the weight of the dense score alone, on queries that are not test.

    A weight other than the one given must earn its place: ties keep what was given.

    Returns:
        The settings, and the quality of each weight.
    """
    if settings.mode != "hybrid" or not queries:
        return settings, {}
    known = RememberingEmbedder(embedder)
    quality: dict[str, float] = {}
    best, best_quality = settings, -1.0
    for alpha in (settings.alpha, *(a for a in ALPHAS if a != settings.alpha)):
        tried = replace(settings, alpha=alpha)
        found = measure_search(kb, known, tried, queries=queries, judge=judge).quality
        quality[f"alpha {alpha}"] = round(found, 4)
        if found > best_quality + 1e-9:
            best, best_quality = tried, found
    return best, quality
