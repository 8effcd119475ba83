"""Measures of rankings, against ir-measures and by hand."""

from __future__ import annotations

import importlib
from math import log2

import numpy as np
import pytest

from groundtune.measure.ranking import document_ranking, ndcg, recall, reciprocal_rank


def random_collection(
    seed: int,
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Graded judgements and scored runs, with ties and documents on one side only."""
    rng = np.random.default_rng(seed)
    names = [f"d{number:03d}" for number in range(300)]
    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for number in range(40):
        query = f"q{number}"
        judged = rng.choice(names, rng.integers(1, 30), replace=False)
        qrels[query] = {str(name): int(rng.integers(0, 4)) for name in judged}
        found = rng.choice(names, rng.integers(1, 200), replace=False)
        # Few values, so that many tie; all exact in single precision.
        run[query] = {str(name): float(rng.integers(0, 40)) / 8 for name in found}
    del run["q7"]  # judged, but nothing was found
    return qrels, run


def ranked(scores: dict[str, float]) -> list[str]:
    best_first = sorted(scores.items(), key=lambda item: -item[1])
    return document_ranking(best_first)


@pytest.mark.parametrize("seed", range(3))
def test_every_value_is_that_of_ir_measures(seed: int) -> None:
    ir = importlib.import_module("ir_measures")
    qrels, run = random_collection(seed)
    measures = [ir.nDCG @ 10, ir.R @ 100, ir.RR]
    expected = {
        (row.query_id, str(row.measure)): row.value
        for row in ir.iter_calc(measures, qrels, run)
    }

    for query, judged in qrels.items():
        order = ranked(run.get(query, {}))
        relevant = {name: float(gain) for name, gain in judged.items()}
        ours = {
            "nDCG@10": ndcg(order, relevant, k=10),
            "R@100": recall(order, relevant, k=100),
            "RR": reciprocal_rank(order, relevant, k=1000),
        }
        for measure, value in ours.items():
            assert value == pytest.approx(expected[query, measure], abs=1e-6), measure


def test_reciprocal_rank_at_10_is_that_of_ir_measures() -> None:
    """Without ties: ir-measures cuts this one in a program that orders them at will."""
    ir = importlib.import_module("ir_measures")
    qrels, tied = random_collection(0)
    run = {
        query: {name: float(len(found) - rank) for rank, name in enumerate(found)}
        for query, found in tied.items()
    }
    expected = {
        row.query_id: row.value for row in ir.iter_calc([ir.RR @ 10], qrels, run)
    }

    assert any(0 < value < 1 for value in expected.values())
    for query, value in expected.items():
        relevant = {name: float(gain) for name, gain in qrels[query].items()}
        ours = reciprocal_rank(ranked(run.get(query, {})), relevant, k=10)
        assert ours == pytest.approx(value, abs=1e-6)


def test_ndcg_by_hand() -> None:
    relevant = {"a": 2.0, "b": 1.0, "c": 0.0, "d": -1.0}

    best = 2 / log2(2) + 1 / log2(3)
    assert ndcg(["a", "b"], relevant, k=10) == 1.0
    assert ndcg(["b", "a"], relevant, k=10) == pytest.approx(
        (1 / log2(2) + 2 / log2(3)) / best
    )
    assert ndcg(["c", "d", "x", "a"], relevant, k=3) == 0.0
    assert ndcg(["d", "a"], relevant, k=2) == pytest.approx(2 / log2(3) / best)


def test_the_best_order_is_cut_at_k_too() -> None:
    relevant = dict.fromkeys("abcdef", 1.0)

    assert ndcg(["a", "b"], relevant, k=2) == 1.0


def test_recall_and_reciprocal_rank_by_hand() -> None:
    relevant = {"a": 1.0, "b": 3.0, "c": 0.0}

    assert recall(["c", "a", "x", "b"], relevant, k=2) == 0.5
    assert recall(["c", "a", "x", "b"], relevant, k=4) == 1.0
    assert reciprocal_rank(["c", "x", "b"], relevant, k=10) == pytest.approx(1 / 3)
    assert reciprocal_rank(["c", "x", "b"], relevant, k=2) == 0.0


def test_nothing_found_and_nothing_relevant_score_0() -> None:
    for measure in (ndcg, recall, reciprocal_rank):
        assert measure([], {"a": 1.0}, k=10) == 0.0
        assert measure(["a"], {"a": 0.0}, k=10) == 0.0


def test_a_k_below_1_is_a_bug() -> None:
    for measure in (ndcg, recall, reciprocal_rank):
        with pytest.raises(ValueError, match="a ranking starts at 1"):
            measure(["a"], {"a": 1.0}, k=0)


def test_a_document_stands_where_its_best_passage_does() -> None:
    scored = [("b", 3.0), ("a", 2.0), ("b", 2.0), ("c", 1.0), ("a", 0.5)]

    assert document_ranking(scored) == ["b", "a", "c"]


def test_ties_stand_in_descending_order_of_ids() -> None:
    assert document_ranking([("a", 1.0), ("c", 1.0), ("b", 1.0), ("z", 0.0)]) == [
        *("c", "b", "a", "z")
    ]


def test_an_order_that_is_not_that_of_scores_is_kept() -> None:
    assert document_ranking([("a", 3.0), ("b", 1.0), ("c", 2.0)]) == ["a", "b", "c"]
