"""Measures of a ranking of documents against graded judgements.

A ranking lists document ids, best first, each once; judgements map the id of a document
to its relevance, and a document without one counts as not relevant. The values are
those of trec_eval, and so of ir-measures; tests hold them together. Measures that need
the first right passage alone are in `retrieval`.
"""

from __future__ import annotations

from itertools import groupby, islice
from math import log2
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def document_ranking(scored: Iterable[tuple[str, float]]) -> list[str]:
    """Rank documents by the best of their passages.

    Args:
        scored: Document and score of each passage found, best first. Where the order
            is not that of the scores, as after diversification, the order counts.

    Returns:
        Each document once. Neighbours with equal scores stand in descending order of
        their ids, as trec_eval puts them.

    Examples:
        >>> document_ranking([("a", 3.0), ("b", 2.0), ("a", 2.0), ("c", 2.0)])
        ['a', 'c', 'b']
    """
    best: dict[str, float] = {}
    for document, score in scored:
        best.setdefault(document, score)
    ranked: list[str] = []
    for _, tied in groupby(best.items(), key=lambda item: item[1]):
        ranked.extend(sorted((document for document, _ in tied), reverse=True))
    return ranked


def ndcg(ranked: Sequence[str], relevant: Mapping[str, float], *, k: int) -> float:
    """Discounted gain of the first `k`, over that of the best possible order.

    The gain is the relevance itself, not a power of it; below zero counts as zero.
    A query without a relevant document scores 0.

    Raises:
        ValueError: `k` is below 1.

    Examples:
        >>> round(ndcg(["x", "b", "a"], {"a": 1, "b": 1}, k=10), 4)
        0.6934
    """
    _check(k)
    best = _discounted(sorted(_gains(relevant).values(), reverse=True)[:k])
    if best == 0:
        return 0.0
    return (
        _discounted([max(0.0, relevant.get(name, 0.0)) for name in ranked[:k]]) / best
    )


def recall(ranked: Sequence[str], relevant: Mapping[str, float], *, k: int) -> float:
    """Share of the relevant documents that stand among the first `k`.

    A query without a relevant document scores 0.

    Raises:
        ValueError: `k` is below 1.

    Examples:
        >>> recall(["x", "b"], {"a": 1, "b": 2, "c": 0}, k=10)
        0.5
    """
    _check(k)
    wanted = _gains(relevant)
    if not wanted:
        return 0.0
    return sum(name in wanted for name in ranked[:k]) / len(wanted)


def reciprocal_rank(
    ranked: Sequence[str], relevant: Mapping[str, float], *, k: int
) -> float:
    """1 over the rank of the first relevant document; 0 where none is in the first `k`.

    Raises:
        ValueError: `k` is below 1.

    Examples:
        >>> reciprocal_rank(["x", "b", "a"], {"a": 1, "b": 1}, k=10)
        0.5
    """
    _check(k)
    wanted = _gains(relevant)
    ranks = (n for n, name in enumerate(islice(ranked, k), start=1) if name in wanted)
    found = next(ranks, None)
    return 0.0 if found is None else 1.0 / found


def _gains(relevant: Mapping[str, float]) -> dict[str, float]:
    return {name: gain for name, gain in relevant.items() if gain > 0}


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _check(k: int) -> None:
    if k < 1:
        msg = f"k is {k}; a ranking starts at 1"
        raise ValueError(msg)
