"""Drafts that are checked while they are written."""

from __future__ import annotations

import pytest

from groundtune.core.values import Hit, Passage
from groundtune.generate.citations import ground
from groundtune.generate.replies import CheckedReply

TEXTS = {
    "refunds": "Refunds are paid within 6 working days. Open the page for returns.",
    "contact": "Support email: help@skylark.example",
}
HITS = {
    name: Hit(
        passage=Passage(id=name, document=f"{name}.md", start=10, end=99, text=text),
        score=1.0,
    )
    for name, text in TEXTS.items()
}
POLICY = "Refunds are paid within 6 working days."


def reply_to(draft: str, *, size: int = 5) -> tuple[CheckedReply, list[str]]:
    pieces: list[str] = []

    def look_up(label: str) -> tuple[str, Hit] | None:
        known = label == "Support Email"
        return ("help@skylark.example", HITS["contact"]) if known else None

    made = CheckedReply(
        [POLICY],
        [HITS["refunds"]],
        asked="Where is my refund?",
        look_up=look_up,
        on_text=pieces.append,
    )
    for at in range(0, len(draft), size):
        made.add(draft[at : at + size])
    made.finish()
    return made, pieces


def test_the_tone_is_the_drafts_and_the_facts_are_the_policies() -> None:
    made, pieces = reply_to(
        "I am sorry that you are waiting. You will have it within 14 days. "
        "Thank you for your patience!"
    )
    assert made.text == (
        f"I am sorry that you are waiting. {POLICY} Thank you for your patience!"
    )
    assert "".join(pieces) == made.text
    assert len(pieces) == 3, "a sentence at a time"
    assert made.left_out == 1


def test_a_draft_without_a_stop_does_not_run_into_the_policies() -> None:
    made, pieces = reply_to("Dear customer")
    assert made.text == f"Dear customer\n\n{POLICY}"
    assert "".join(pieces) == made.text
    _, citations, _ = ground(made.text, made.policies)
    assert [one.text for one in citations] == [POLICY]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_it_does_not_matter_in_which_pieces_a_draft_comes(size: int) -> None:
    draft = (
        "Oh no.\n\nDo this:\n1. Open the page for returns.\n2. Press Go.\n\nBye, Jo."
    )
    made, _ = reply_to(draft, size=size)
    assert made.text == f"Oh no. {POLICY} Do this:\n- Open the page for returns."
    assert made.left_out == 2


def test_a_list_without_a_step_that_stands_is_not_announced() -> None:
    made, _ = reply_to("Do this:\n1. Press Go.\n2. Press Stop.\nGood luck.")
    assert made.text == f"Good luck. {POLICY}"


def test_places_left_open_are_filled_from_policies_and_cited() -> None:
    made, _ = reply_to("Write to {{Support Email}}. Call {{Phone Number}}.")
    assert made.text == f"Write to help@skylark.example. {POLICY}"
    assert [one.text for one in made.filled] == ["help@skylark.example"]
    assert (made.filled[0].document, made.filled[0].start) == ("contact.md", 25)
    assert [one.passage.id for one in made.policies] == ["refunds", "contact"]


def test_without_a_sentence_that_stands_the_policies_speak_alone() -> None:
    for draft in ("", "It takes 14 days.", f"{POLICY} {POLICY}"):
        assert reply_to(draft)[0].text == POLICY
