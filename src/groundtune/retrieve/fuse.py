"""Two lists of scores become one, and a list becomes a varied one. Pure.

Axis suffixes: C candidates, D dimensions. Rows are numbers that stand for passages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt


def convex(
    dense: Mapping[int, float],
    words: Mapping[int, float],
    *,
    alpha: float,
    typical: float,
) -> dict[int, float]:
    """Join two scores of each passage by a weighted mean, each scaled to [0, 1].

    Args:
        dense: Similarity of every candidate.
        words: BM25 of the candidates that have any of the words; 0 for the others.
        alpha: Weight of `dense`.
        typical: The similarity that counts as 0, and so do those below it; the best
            candidate's counts as 1.

    Examples:
        >>> convex({1: 0.9, 2: 0.5, 3: 0.0}, {2: 8.0}, alpha=0.5, typical=0.1)
        {1: 0.5, 2: 0.75, 3: 0.0}
    """
    spread = max(dense.values(), default=0.0) - typical
    top = max(words.values(), default=0.0) or 1.0
    return {
        row: alpha * (max(0.0, score - typical) / spread if spread > 0 else 0.0)
        + (1 - alpha) * words.get(row, 0.0) / top
        for row, score in dense.items()
    }


def diversify(
    relevance: Sequence[float],
    vectors_C_D: npt.NDArray[np.float32],
    *,
    k: int,
    weight: float,
) -> list[int]:
    """Choose `k` candidates by maximal marginal relevance.

    Each next one has the greatest `weight * relevance - (1 - weight) * similarity`,
    the similarity being to the most similar of those chosen before.

    Args:
        relevance: Of each candidate, best first; scaled here to [0, 1].
        vectors_C_D: Unit vectors of the candidates.
        k: How many; cut to the number of candidates.
        weight: 1 keeps the order; 0 looks at similarity alone, after the first.

    Returns:
        Places of the chosen ones, in the order of choice. Ties go to the better rank.
    """
    import numpy as np

    if not relevance:
        return []
    given_C = np.asarray(relevance, np.float64)
    low, high = given_C.min(), given_C.max()
    relevance_C = (given_C - low) / ((high - low) or 1.0)
    nearest_C = np.zeros(len(given_C))
    left_C = np.ones(len(given_C), bool)
    chosen: list[int] = []
    while len(chosen) < min(k, len(given_C)):
        gain_C = weight * relevance_C - (1 - weight) * nearest_C
        # Rounded, so that equal passages tie and the better rank wins.
        best = int(np.argmax(np.where(left_C, np.round(gain_C, 6), -np.inf)))
        left_C[best] = False
        alike_C = vectors_C_D @ vectors_C_D[best]
        nearest_C = np.maximum(nearest_C, alike_C) if chosen else alike_C
        chosen.append(best)
    return chosen
