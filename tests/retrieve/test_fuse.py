from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.retrieve.fuse import convex, diversify


@given(
    dense=st.dictionaries(st.integers(0, 20), st.floats(-1, 1), min_size=1),
    alpha=st.floats(0, 1),
)
def test_joined_scores_lie_between_0_and_1(
    dense: dict[int, float], alpha: float
) -> None:
    words = {row: 3.0 + row for row in list(dense)[::2]}

    joined = convex(
        dense, words, alpha=alpha, typical=sorted(dense.values())[len(dense) // 2]
    )

    assert joined.keys() == dense.keys()
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in joined.values())


def test_alpha_at_its_ends_is_one_list_alone() -> None:
    dense, words = {1: 0.2, 2: 0.8, 3: 0.5}, {1: 9.0, 3: 1.0}

    by_dense = convex(dense, words, alpha=1.0, typical=0.0)
    by_words = convex(dense, words, alpha=0.0, typical=0.0)

    assert sorted(dense, key=lambda r: -by_dense[r]) == [2, 3, 1]
    assert sorted(dense, key=lambda r: -by_words[r]) == [1, 3, 2]


def plain_mmr(
    relevance: list[float], similarity: list[list[float]], k: int, weight: float
) -> list[int]:
    """The definition, word by word."""
    low, high = min(relevance), max(relevance)
    scaled = [(r - low) / ((high - low) or 1) for r in relevance]
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        gains = {
            n: weight * scaled[n]
            - (1 - weight) * max((similarity[n][c] for c in chosen), default=0.0)
            for n in range(len(relevance))
            if n not in chosen
        }
        chosen.append(min(gains, key=lambda n: (-round(gains[n], 6), n)))
    return chosen


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.7, 1.0])
def test_mmr_is_what_its_definition_says(weight: float) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((30, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = sorted(rng.random(30).tolist(), reverse=True)

    found = diversify(relevance, vectors, k=10, weight=weight)

    similarity = (vectors @ vectors.T).tolist()
    assert found == plain_mmr(relevance, similarity, 10, weight)
    if weight == 1.0:
        assert found == list(range(10))


def test_mmr_puts_a_copy_behind_something_new() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)

    assert diversify([0.9, 0.89, 0.5], vectors, k=3, weight=0.5) == [0, 2, 1]
    assert diversify([], np.zeros((0, 2), np.float32), k=3, weight=0.5) == []
