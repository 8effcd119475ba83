"""Splits: by document, by seed, by fraction."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.values import QaCase
from groundtune.data.splits import SplitFractions, sample_cases, split_cases


def make(*sizes: int) -> list[QaCase]:
    return [
        QaCase(id=f"{group}-{n}", question="Q", answers=("A",), source=f"doc{group}")
        for group, size in enumerate(sizes)
        for n in range(size)
    ]


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=40), st.integers(0, 99))
def test_no_document_is_on_two_sides_and_no_case_is_lost(
    sizes: list[int], seed: int
) -> None:
    cases = make(*sizes)

    splits = split_cases(cases, seed=seed)

    sides = [splits.train, splits.dev, splits.test]
    assert sorted(c.id for side in sides for c in side) == sorted(c.id for c in cases)
    sources = [{case.source for case in side} for side in sides]
    assert all(sources)
    assert sum(map(len, sources)) == len(sizes)


def test_sides_have_about_their_share() -> None:
    cases = make(*[10] * 100)

    splits = split_cases(cases, seed=3, fractions=SplitFractions())

    assert len(splits.train) == 600
    assert len(splits.dev) == 100
    assert len(splits.test) == 300


def test_the_seed_decides_and_the_order_of_the_file_does_not() -> None:
    cases = make(*[5] * 12)

    one, same = split_cases(cases, seed=1), split_cases(cases, seed=1)
    other = split_cases(cases, seed=2)
    turned = split_cases(cases[::-1], seed=1)

    assert one == same
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != other.fingerprint
    assert {case.id for case in turned.test} == {case.id for case in one.test}


def test_the_fingerprint_sees_every_change() -> None:
    splits = split_cases(make(2, 2, 2), seed=0)
    changed = replace(
        splits, dev=(replace(splits.dev[0], question="R"), *splits.dev[1:])
    )

    assert changed.fingerprint != splits.fingerprint


def test_a_limit_takes_as_much_of_each_document_as_can_be() -> None:
    cases = make(50, 3, 50, 50)

    chosen = sample_cases(cases, limit=20, seed=0)

    counts = sorted(Counter(case.source for case in chosen).values())
    assert counts == [3, 5, 6, 6]
    assert set(chosen[:10]) <= set(cases)
    assert [cases.index(case) for case in chosen] == sorted(map(cases.index, chosen))
    assert set(sample_cases(cases, limit=7, seed=0)) <= set(chosen)
    assert sample_cases(cases, limit=1000, seed=0) == tuple(cases)


def test_the_limit_bounds_test_cases_only() -> None:
    cases = make(*[20] * 10)

    whole, bounded = (split_cases(cases, seed=5, limit=n) for n in (None, 8))

    assert len(bounded.test) == 8
    assert set(bounded.test) < set(whole.test)
    assert bounded.train == whole.train


def test_too_few_documents() -> None:
    with pytest.raises(DataError) as error:
        split_cases(make(9, 9), seed=0)

    assert str(error.value) == (
        "2 document(s) cannot be split into train, dev and test\n"
        "  fix: give separate files: --train F --dev F --test F, or add cases on at "
        "least 1 more document(s)"
    )


def test_cases_without_a_document() -> None:
    cases = [*make(1, 1, 1), QaCase(id="x", question="Q", answers=("A",))]

    with pytest.raises(DataError, match="1 of 4 cases name no document") as error:
        split_cases(cases, seed=0)
    assert "--train F" in error.value.fix


def test_fractions_and_limits_are_checked() -> None:
    with pytest.raises(ConfigError, match="fractions are"):
        SplitFractions(train=0.9, dev=0.1, test=0.1)
    with pytest.raises(ConfigError, match="limit is 0"):
        sample_cases(make(3), limit=0, seed=0)
