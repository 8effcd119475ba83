"""Measures of retrieval from the rank of the first right passage, counted from 1.

A rank of None means that no right passage was found; it counts as a miss and is
never left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def first_rank(relevant: Sequence[bool]) -> int | None:
    """Rank of the first True, from 1; None if there is none.

    Examples:
        >>> first_rank([False, True, True])
        2
    """
    return next((rank for rank, yes in enumerate(relevant, start=1) if yes), None)


def hit_at(rank: int | None, k: int) -> float:
    """1 where the right passage is among the first `k`.

    Raises:
        ValueError: `k` is below 1.
    """
    if k < 1:
        msg = f"k is {k}; a ranking starts at 1"
        raise ValueError(msg)
    return float(rank is not None and rank <= k)


def reciprocal_rank(rank: int | None) -> float:
    """1 over the rank; 0 where nothing was found."""
    return 0.0 if rank is None else 1.0 / rank


def hit_rate(ranks: Sequence[int | None], *, k: int) -> float:
    """Share of queries with the right passage among the first `k` (hit@k).

    Raises:
        ValueError: There are no queries, or `k` is below 1.
    """
    return _mean([hit_at(rank, k) for rank in ranks])


def mean_reciprocal_rank(ranks: Sequence[int | None]) -> float:
    """Mean of 1 / rank (MRR).

    Raises:
        ValueError: There are no queries.
    """
    return _mean([reciprocal_rank(rank) for rank in ranks])


def _mean(values: Sequence[float]) -> float:
    if not values:
        msg = "no queries to measure"
        raise ValueError(msg)
    return sum(values) / len(values)
