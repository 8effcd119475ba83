"""Labels: values equal scikit-learn's, intervals hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from groundtune.measure.labels import accuracy, label_report, most_confused

if TYPE_CHECKING:
    from groundtune.measure.rows import Figure

metrics: Any = sklearn_metrics
NAMES = ("billing", "delivery", "refund", "other")
pairs = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=40
)


@settings(max_examples=30, deadline=None)
@given(pairs)
def test_values_equal_those_of_scikit_learn(cases: list[tuple[str, str]]) -> None:
    gold, predicted = ([case[side] for case in cases] for side in (0, 1))
    found = label_report(gold, predicted, labels=NAMES, draws=20)

    assert accuracy(gold, predicted) == metrics.accuracy_score(gold, predicted)
    assert found.accuracy.value == pytest.approx(accuracy(gold, predicted))
    for average, ours in (("macro", found.macro_f1), ("weighted", found.weighted_f1)):
        theirs = metrics.f1_score(gold, predicted, average=average, zero_division=0.0)
        assert ours.value == pytest.approx(theirs)
        assert 0 <= ours.low <= ours.value <= ours.high <= 1
    micro = metrics.f1_score(gold, predicted, average="micro")
    assert found.accuracy.value == pytest.approx(micro)
    by_label = metrics.precision_recall_fscore_support(
        gold, predicted, labels=list(NAMES), zero_division=0.0
    )
    for name, precision, recall, f1, support in zip(NAMES, *by_label, strict=True):
        ours = found.by_label[name]
        assert ours.precision.value == pytest.approx(precision)
        assert ours.recall.value == pytest.approx(recall)
        assert ours.f1.value == pytest.approx(f1)
        assert ours.support == support
    theirs = metrics.confusion_matrix(gold, predicted, labels=list(NAMES))
    assert found.confusion_L_L.tolist() == theirs.tolist()


def test_labels_keep_the_order_given_and_none_is_left_out() -> None:
    found = label_report(
        ["b", "a", "b"], ["b", "zebra", "apple"], labels=["b", "a"], draws=20
    )

    assert found.labels == ("b", "a", "apple", "zebra")
    assert found.confusion_L_L.sum() == 3
    assert found.by_label["zebra"].support == 0
    assert found.by_label["zebra"].recall.n == 0
    nothing_known = found.by_label["zebra"].recall
    assert (nothing_known.low, nothing_known.high) == (0.0, 1.0)


def test_the_commonest_confusions_come_first() -> None:
    gold = ["a"] * 5 + ["b"] * 5
    predicted = ["b", "b", "b", "a", "a", "a", "b", "b", "b", "c"]
    found = most_confused(label_report(gold, predicted, draws=20))

    assert [(f.gold, f.predicted, f.times) for f in found] == [
        ("a", "b", 3),
        ("b", "a", 1),
        ("b", "c", 1),
    ]
    assert found[0].share == pytest.approx(0.6)


def test_everything_right_is_still_no_certainty() -> None:
    gold = ["yes", "no"] * 10
    found = label_report(gold, gold)

    assert found.macro_f1.value == found.macro_f1.high == 1.0
    assert 0.7 < found.macro_f1.low < 0.95
    assert 0.7 < found.accuracy.low < 0.95


def test_grouped_cases_say_less_than_single_ones() -> None:
    rng = np.random.default_rng(3)
    right_of_group = rng.random(40) < 0.7
    gold = ["yes"] * 400
    predicted = ["yes" if right_of_group[i // 10] else "no" for i in range(400)]
    alone = label_report(gold, predicted, draws=200)
    grouped = label_report(
        gold, predicted, groups=[i // 10 for i in range(400)], draws=200
    )

    def width(figure: Figure) -> float:
        return figure.high - figure.low

    for measure in ("accuracy", "macro_f1"):
        assert width(getattr(grouped, measure)) > 2 * width(getattr(alone, measure))


def test_the_interval_of_macro_f1_covers_the_truth() -> None:
    """The claim "95 %", by drawing test sets from a large population."""
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])
    gold = rng.choice(3, size=50_000, p=[0.6, 0.3, 0.1])
    wrong = rng.random(50_000) < np.array([0.1, 0.25, 0.4])[gold]
    predicted = np.where(wrong, (gold + rng.integers(1, 3, size=50_000)) % 3, gold)
    truth = metrics.f1_score(gold, predicted, average="macro")
    held = 0
    for seed in range(100):
        drawn = rng.integers(50_000, size=200)
        found = label_report(
            names[gold[drawn]].tolist(),
            names[predicted[drawn]].tolist(),
            seed=seed,
            draws=200,
        )
        held += found.macro_f1.low <= truth <= found.macro_f1.high

    assert 88 <= held <= 99


def test_the_same_seed_gives_the_same_figures() -> None:
    gold, predicted = ["a", "b", "c"] * 20, ["a", "c", "c"] * 20
    first, second = (label_report(gold, predicted, seed=4, draws=100) for _ in "ab")

    assert first.to_json() == second.to_json()


@pytest.mark.parametrize(("gold", "predicted"), [([], []), (["a"], []), (["a"], "ab")])
def test_cases_without_predictions_are_a_bug(
    gold: list[str], predicted: list[str]
) -> None:
    with pytest.raises(ValueError, match="cases and"):
        label_report(gold, predicted)
