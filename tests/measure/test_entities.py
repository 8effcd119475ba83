"""Entities: spans and scores equal seqeval's, and the rules of repair hold."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval import metrics as seqeval_metrics
from seqeval.metrics.sequence_labeling import get_entities

from groundtune.measure.entities import EntitySpan, entity_report, f1_gain, spans

metrics: Any = seqeval_metrics
TAGS = ("O", "O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC")
sentences = st.lists(st.sampled_from(TAGS), min_size=1, max_size=9)
sentence_pairs = st.lists(
    st.integers(1, 9).flatmap(
        lambda size: st.tuples(
            *(st.lists(st.sampled_from(TAGS), min_size=size, max_size=size),) * 2
        )
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O O", []),
        ("", []),
        ("B-PER I-PER O", [(0, 2, "PER")]),
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("O I-PER I-PER", [(1, 3, "PER")]),
        ("B-PER I-LOC I-LOC", [(0, 1, "PER"), (1, 3, "LOC")]),
        ("I-PER B-PER I-PER", [(0, 1, "PER"), (1, 3, "PER")]),
        ("B-PER E-PER S-LOC", [(0, 2, "PER"), (2, 3, "LOC")]),
        ("S-PER I-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("PER PER O LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")]),
    ],
)
def test_tags_become_spans(tags: str, expected: list[tuple[int, int, str]]) -> None:
    assert spans(tags.split()) == [EntitySpan(*each) for each in expected]


@settings(max_examples=150, deadline=None)
@given(sentences)
def test_spans_equal_those_of_seqeval(tags: list[str]) -> None:
    theirs = [(start, end + 1, name) for name, start, end in get_entities(tags)]

    assert [tuple(span) for span in spans(tags)] == theirs


@settings(max_examples=60, deadline=None)
@given(sentences)
def test_spans_are_in_order_apart_and_hold_one_type(tags: list[str]) -> None:
    found = spans(tags)

    assert all(a.end <= b.start for a, b in pairwise(found))
    covered = {place for span in found for place in range(span.start, span.end)}
    assert covered == {place for place, tag in enumerate(tags) if tag != "O"}
    for span in found:
        assert all(tags[i].endswith(span.type) for i in range(span.start, span.end))


@settings(max_examples=30, deadline=None)
@given(sentence_pairs)
def test_scores_equal_those_of_seqeval(
    cases: list[tuple[list[str], list[str]]],
) -> None:
    gold, predicted = ([case[side] for case in cases] for side in (0, 1))
    found = entity_report(gold, predicted, draws=20)

    assert found.f1.value == pytest.approx(
        metrics.f1_score(gold, predicted, zero_division=0)
    )
    assert found.overall.precision.value == pytest.approx(
        metrics.precision_score(gold, predicted, zero_division=0)
    )
    assert found.overall.recall.value == pytest.approx(
        metrics.recall_score(gold, predicted, zero_division=0)
    )
    if found.by_type:
        theirs = metrics.classification_report(
            gold, predicted, output_dict=True, zero_division=0
        )
        assert found.macro_f1.value == pytest.approx(theirs["macro avg"]["f1-score"])
        for name, ours in found.by_type.items():
            assert ours.f1.value == pytest.approx(theirs[name]["f1-score"])
            assert ours.support == theirs[name]["support"]


def test_a_worked_example() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG", "I-ORG"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["O", "B-ORG", "O"]]
    found = entity_report(gold, predicted)

    # Three predicted, three wanted, one of them the same in both ends and type.
    assert found.overall.support == found.overall.found == 3
    assert found.f1.value == pytest.approx(1 / 3)
    assert {name: each.f1.value for name, each in found.by_type.items()} == {
        "LOC": 0.0,
        "ORG": 0.0,
        "PER": 1.0,
    }
    assert found.f1.n == 2


def test_no_entities_found_or_wanted_says_nothing() -> None:
    found = entity_report([["O", "O"]] * 3, [["O", "O"]] * 3)

    assert (found.f1.value, found.f1.low, found.f1.high) == (0.0, 0.0, 1.0)
    assert found.by_type == {}


def test_the_interval_narrows_with_more_sentences() -> None:
    gold = [["B-PER", "O", "B-LOC"], ["O", "B-PER", "O"]]
    predicted = [["B-PER", "O", "O"], ["O", "B-PER", "O"]]
    few, many = (
        entity_report(gold * times, predicted * times, draws=200) for times in (8, 80)
    )

    assert few.f1.value == pytest.approx(many.f1.value)
    assert many.f1.high - many.f1.low < 0.5 * (few.f1.high - few.f1.low)


def test_a_sentence_cut_short_is_a_bug_and_is_named() -> None:
    with pytest.raises(ValueError, match="sentence 1 has 2 gold tags and 1"):
        entity_report([["O"], ["O", "B-PER"]], [["O"], ["O"]])


def test_a_gain_is_the_difference_of_the_reports_and_is_seen() -> None:
    gold = [["B-PER", "O", "B-LOC"], ["O", "B-PER", "O"]] * 20
    better = [["B-PER", "O", "O"], ["O", "B-PER", "O"]] * 20
    worse = [["O", "O", "O"], ["O", "B-PER", "B-LOC"]] * 20
    gain = f1_gain(gold, better, worse)

    both = [entity_report(gold, each).f1.value for each in (better, worse)]
    assert gain.value == pytest.approx(both[0] - both[1])
    assert 0 < gain.low < gain.value < gain.high
    none = f1_gain(gold, better, better)
    assert (none.value, none.low, none.high) == (0, -1, 1)
