"""More than one query for a question."""

from __future__ import annotations

import pytest

from groundtune.retrieve.expand import (
    feedback_words,
    joined_by_best,
    joined_by_weight,
    parts_of,
)


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "Who wrote the charter, and what does a permit cost?",
            ["Who wrote the charter", "what does a permit cost"],
        ),
        (
            "How deep is the harbour? Where is the market; when does it open?",
            ["How deep is the harbour", "Where is the market", "when does it open"],
        ),
        ("What do bread and butter cost?", []),
        ("Who came and when?", []),
        ("", []),
    ],
)
def test_parts_are_questions_of_their_own(question: str, parts: list[str]) -> None:
    assert parts_of(question) == parts


def test_feedback_is_what_several_hits_share() -> None:
    words = feedback_words(
        ["permit", "cost"],
        [
            ["permit", "harbour", "office", "crown"],
            ["harbour", "crown", "crown", "mast"],
            ["crown", "pay", "the"],
        ],
    )
    assert words == ["crown", "harbour"]
    assert feedback_words(["permit"], []) == []


def test_joining() -> None:
    assert joined_by_best([{1: 0.5, 2: 0.1}, {2: 0.4}]) == {1: 0.5, 2: 0.4}
    found = joined_by_weight({1: 1.0}, {1: 0.5, 2: 1.0}, weight=0.25)
    assert found == {1: 0.875, 2: 0.25}
