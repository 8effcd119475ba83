"""Learning to choose from lists: one query, its candidates, what is right."""

from __future__ import annotations

import numpy as np
import pytest

from groundtune.retrieve.listwise import Choice, fit_listwise, listwise_slope
from groundtune.retrieve.query_adapter import QueryAdapter

DIM = 12


def choices(*, seed: int, count: int) -> list[Choice]:
    """A query is about the candidate whose vector is its own, turned the same way."""
    rng = np.random.default_rng(seed)
    turn_D_D = np.linalg.qr(np.random.default_rng(1).normal(size=(DIM, DIM)))[0]
    made: list[Choice] = []
    for _ in range(count):
        size = int(rng.integers(2, 7))
        found_C_D = unit(rng.normal(size=(size, DIM)))
        right = int(rng.integers(size))
        made.append(
            Choice(
                query_D=unit(found_C_D[right] + 2 * found_C_D[right] @ turn_D_D),
                candidates_C_D=found_C_D,
                rest_C=rng.normal(size=size, scale=0.2).astype(np.float32),
                right_C=np.arange(size) == right,
            )
        )
    return made


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def share_right(made: list[Choice], adapter: QueryAdapter) -> float:
    chosen = [
        one.right_C[
            int(
                np.argmax(
                    one.candidates_C_D @ adapter.apply(one.query_D[None])[0]
                    + one.rest_C
                )
            )
        ]
        for one in made
    ]
    return float(np.mean(chosen))


def test_what_was_learned_chooses_better_in_new_lists() -> None:
    adapter = fit_listwise(choices(seed=2, count=1500))
    nothing = QueryAdapter(np.zeros((DIM, DIM), np.float32))
    new = choices(seed=3, count=500)
    assert share_right(new, adapter) > share_right(new, nothing) + 0.1


def loss(change_D_D: np.ndarray, made: list[Choice], temperature: float) -> float:
    total = 0.0
    for one in made:
        moved_D = unit(one.query_D + one.query_D @ change_D_D).astype(np.float64)
        scores_C = (one.candidates_C_D @ moved_D + one.rest_C) / temperature
        whole = np.logaddexp.reduce(scores_C)
        total += whole - np.logaddexp.reduce(scores_C[one.right_C])
    return float(total)


def test_the_slope_is_the_derivative_of_the_loss() -> None:
    made = choices(seed=4, count=9)
    # Two right ones in a list.
    made[0] = made[0]._replace(right_C=np.arange(len(made[0].rest_C)) < 2)
    at_D_D = 0.1 * np.random.default_rng(5).normal(size=(DIM, DIM)).astype(np.float32)
    slope_D_D = listwise_slope(at_D_D, made)
    for row, column in ((0, 0), (3, 7), (11, 2)):
        nudge_D_D = np.zeros((DIM, DIM))
        nudge_D_D[row, column] = 1e-3
        rise = loss(at_D_D + nudge_D_D, made, 0.1) - loss(at_D_D - nudge_D_D, made, 0.1)
        assert slope_D_D[row, column] == pytest.approx(rise / 2e-3, rel=2e-2, abs=2e-2)


def test_the_same_choices_give_the_same_matrix() -> None:
    made = choices(seed=6, count=40)
    first, second = fit_listwise(made), fit_listwise(made)
    np.testing.assert_array_equal(first.change_D_D, second.change_D_D)


def test_lists_of_one_teach_nothing() -> None:
    alone = [
        one._replace(
            candidates_C_D=one.candidates_C_D[:1],
            rest_C=one.rest_C[:1],
            right_C=np.array([True]),
        )
        for one in choices(seed=7, count=5)
    ]
    assert not fit_listwise(alone).change_D_D.any()
