"""Prompts of summarization, and which passages are read together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.augment.summaries import (
    SUMMARIZE,
    evidence_text,
    groups_within,
    map_instruction,
    plain_prompts,
)
from groundtune.core.errors import ConfigError
from groundtune.core.values import Hit, Passage


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(50, 120))
def test_groups_hold_everything_once_and_fit(sizes: list[int], budget: int) -> None:
    groups = groups_within(sizes, budget=budget)

    assert [place for group in groups for place in group] == list(range(len(sizes)))
    totals = [sum(sizes[place] for place in group) for group in groups]
    assert all(total <= budget for total in totals)
    fewest = 0
    room = 0
    for size in sizes:
        if not fewest or room + size > budget:
            fewest, room = fewest + 1, 0
        room += size
    assert len(groups) == fewest


def test_groups_are_even_and_leave_no_scrap() -> None:
    assert groups_within([10] * 10, budget=60) == [range(5), range(5, 10)]
    assert groups_within([], budget=5) == []
    with pytest.raises(ConfigError, match="a passage has 7 tokens"):
        groups_within([3, 7], budget=5)


def test_passages_of_a_section_stand_behind_its_heading_once() -> None:
    hits = [
        Hit(
            passage=Passage(
                id=text, document="d", start=0, end=1, text=text, heading=heading
            ),
            score=0,
        )
        for heading, text in (("Ferry", "One."), ("Ferry", "Two."), ("", "Three."))
    ]

    assert evidence_text(hits) == "Ferry\nOne.\n\nTwo.\n\nThree."


def test_a_model_as_published_is_asked_in_several_ways() -> None:
    bare, length = plain_prompts(SUMMARIZE, words=20)
    assert (bare.instruction, bare.shots) == (SUMMARIZE, ())
    assert "about 20 words" in length.instruction

    shown = plain_prompts(SUMMARIZE, words=20, shots=[("long", "short")])[-1]
    assert [(turn.role, turn.content) for turn in shown.shots] == [
        ("user", "long"),
        ("assistant", "short"),
    ]
    assert "goats" in map_instruction(words=9, topic="goats")
    assert map_instruction(words=9).startswith("Summarize the text in about 9 words")
