"""Splits, draws and folds of labelled cases: shares, groups, equal texts, seeds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.values import EntityCase, LabelCase, TranslationCase
from groundtune.data.stratify import draw_per_label, folds, split_stratified

if TYPE_CHECKING:
    from collections.abc import Sequence


def make(*labels: str, groups: Sequence[str] = ()) -> list[LabelCase]:
    return [
        LabelCase(
            id=str(number),
            text=f"text {number}",
            label=label,
            group=groups[number] if groups else "",
        )
        for number, label in enumerate(labels)
    ]


def test_every_label_has_its_share_on_every_side() -> None:
    cases = make(*["a"] * 100, *["b"] * 50, *["c"] * 10)

    train, dev, test = split_stratified(cases, shares=(0.7, 0.1, 0.2), seed=0)

    assert Counter(case.label for case in train) == {"a": 70, "b": 35, "c": 7}
    assert Counter(case.label for case in dev) == {"a": 10, "b": 5, "c": 1}
    assert Counter(case.label for case in test) == {"a": 20, "b": 10, "c": 2}
    assert [int(case.id) for case in train] == sorted(int(case.id) for case in train)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(0, 12), st.sampled_from("xyz123456")
        ),
        min_size=30,
        max_size=60,
    ),
    seed=st.integers(0, 3),
)
def test_groups_and_equal_texts_are_never_divided(
    rows: list[tuple[str, int, str]], seed: int
) -> None:
    cases = [
        LabelCase(
            id=str(n),
            text=f"{text}!" if n % 2 else f" {text} ",
            label=label,
            group=group if group.isdigit() else "",
        )
        for n, (label, text, group) in enumerate(rows)
    ]
    try:
        sides = split_stratified(cases, shares=(0.5, 0.5), seed=seed)
    except DataError:
        return

    assert sorted(c.id for side in sides for c in side) == sorted(c.id for c in cases)
    assert all(sides)
    texts = [{case.text.strip(" !") for case in side} for side in sides]
    groups = [{case.group for case in side if case.group} for side in sides]
    assert not texts[0] & texts[1]
    assert not groups[0] & groups[1]


def test_the_seed_decides_and_the_order_of_the_file_does_not() -> None:
    cases = make(*["a", "b"] * 40)

    def names(order: list[LabelCase], seed: int) -> set[str]:
        return {
            case.id for case in split_stratified(order, shares=(0.8, 0.2), seed=seed)[1]
        }

    assert names(cases, 0) == names(cases[::-1], 0)
    assert names(cases, 0) != names(cases, 1)


def test_types_of_entities_are_shared_out() -> None:
    cases = [
        EntityCase(id=str(n), tokens=(f"w{n}",), tags=("B-rare" if n < 10 else "O",))
        for n in range(100)
    ]

    train, test = split_stratified(cases, shares=(0.8, 0.2), seed=0)

    assert sum(case.tags == ("B-rare",) for case in test) == 2
    assert (len(train), len(test)) == (80, 20)


def test_one_source_with_two_translations_stays_together() -> None:
    cases = [
        TranslationCase(id=str(n), source=f"s{n // 2}", target=f"t{n}")
        for n in range(40)
    ]

    train, test = split_stratified(cases, shares=(0.5, 0.5), seed=0)

    assert not {case.source for case in train} & {case.source for case in test}


def test_draws_hold_so_many_of_each_label_and_grow() -> None:
    cases = make(*["a"] * 30, *["b"] * 30, *["c"] * 2)
    cases.append(LabelCase(id="again", text="text 0", label="a"))

    two = draw_per_label(cases, count=2, seed=0)
    five = draw_per_label(cases, count=5, seed=0)

    assert Counter(case.label for case in five) == {"a": 5, "b": 5, "c": 2}
    assert {case.id for case in two} <= {case.id for case in five}
    assert len({case.text for case in five}) == len(five)
    assert draw_per_label(cases, count=5, seed=1) != five


def test_folds_hold_each_case_out_once() -> None:
    cases = make(*["a"] * 20, *["b"] * 10)

    found = folds(cases, count=5, seed=0)

    assert sorted(c.id for fold in found for c in fold.test) == sorted(
        case.id for case in cases
    )
    for train, test in found:
        assert Counter(case.label for case in test) == {"a": 4, "b": 2}
        assert not {case.id for case in train} & {case.id for case in test}
        assert len(train) + len(test) == len(cases)


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(ConfigError):
        split_stratified(make("a", "b"), shares=(0.5, 0.4), seed=0)
    with pytest.raises(ConfigError):
        folds(make("a", "b"), count=1, seed=0)
    with pytest.raises(ConfigError):
        draw_per_label(make("a"), count=0, seed=0)
    with pytest.raises(DataError):
        split_stratified(make("a", "b", groups=("g", "g")), shares=(0.5, 0.5), seed=0)
