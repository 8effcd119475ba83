"""Measures of fact-checking against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from groundtune.measure.facts import evidence_recall, fact_figures, majority_share

LABELS = ("SUPPORTED", "REFUTED", "NOT_ENOUGH_INFO")


def test_macro_f1_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    gold = [LABELS[i] for i in rng.integers(3, size=60)]
    predicted = [LABELS[i] for i in rng.integers(3, size=60)]

    found = fact_figures(
        gold, predicted, labels=LABELS, groups=[str(i % 20) for i in range(60)]
    )

    macro = f1_score(gold, predicted, average="macro")
    assert found.macro_f1.value == pytest.approx(macro)
    assert found.macro_f1.low < macro < found.macro_f1.high
    assert set(found.by_label) == set(LABELS)
    assert found.to_json()["macro_f1"]["n"] == 60


def test_recall_counts_documents_among_the_first() -> None:
    found = [["a", "b", "c"], ["d"], []]
    gold = [["b", "c"], ["d"], ["e"]]

    assert evidence_recall(found, gold, k=2) == [0.5, 1.0, 0.0]


def test_the_most_frequent_label() -> None:
    assert majority_share(["a", "b", "a"]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="no labels"):
        majority_share([])
