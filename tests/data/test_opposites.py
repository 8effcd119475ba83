"""Statements turned round by rule, and what their words have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.data.opposites import OPPOSITES, cues, turned


@pytest.mark.parametrize(
    ("claim", "text", "how"),
    [
        (
            "Statins lower cholesterol.",
            "Statins raise cholesterol.",
            "direction",
        ),
        ("The gate is not open.", "The gate is open.", "negation"),
        ("It does not reduce pain.", "It reduces pain.", "negation"),
        ("Dogs cannot swim.", "Dogs can swim.", "negation"),
        ("The ship was new.", "The ship was not new.", "negation"),
        ("It took 40% of votes.", "It took 13.3% of votes.", "number"),
        ("In 1998 it sank.", "In 1991 it sank.", "number"),
    ],
)
def test_a_claim_is_turned_round(claim: str, text: str, how: str) -> None:
    assert (text, how) in turned(claim)


def test_what_cannot_be_turned_round_is_left_alone() -> None:
    assert turned("T helper 2 cells, perhaps.") == []


def test_opposites_of_the_same_form() -> None:
    assert OPPOSITES["increases"] == "decreases"
    assert OPPOSITES["increasing"] == "decreasing"
    assert OPPOSITES["higher"] == "lower"


@given(st.text(max_size=80))
def test_no_text_is_turned_into_itself(text: str) -> None:
    assert all(one.text != text for one in turned(text))


def test_cues_see_direction_negation_and_numbers() -> None:
    same = cues("Aspirin reduces fever.", "We found that aspirin lowered fever.")
    other = cues("Aspirin reduces fever.", "Fever increased with aspirin.")

    assert same.shared == other.shared == 1.0
    assert same.same_direction > same.other_direction
    assert other.other_direction > other.same_direction
    assert cues("It is not safe.", "It is safe.").negated == 1.0
    assert cues("It has 12 cats.", "It has 15 cats.").numbers_missing == 1.0
    assert cues("", "").shared == 0.0
