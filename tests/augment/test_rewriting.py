"""Follow-up questions stand alone: by rules, and by a model whose wording is held."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.rewriting import (
    CARRIED_WORDS,
    RewritePromptBuilder,
    by_model,
    by_rules,
    carried_words,
    content_words,
    shared_part,
    within_budget,
)
from groundtune.core.values import Message, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

SAID = (
    Message("user", "Where can I exchange my driver license?"),
    Message("assistant", "Any office of the county exchanges licenses."),
    Message("user", "Do I keep the plates?"),
    Message("assistant", "No, plates are surrendered at the office."),
)
turns = st.lists(
    st.builds(
        Message,
        st.sampled_from(["user", "assistant"]),
        st.text(alphabet="abcdef gh.?", min_size=1, max_size=40),
    ),
    max_size=6,
)


class Words:
    """Words as tokens."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(*found.span()) for found in re.finditer(r"\w+", text)]


def test_the_query_takes_over_what_the_question_leaves_out() -> None:
    made = by_rules("What does it cost?", SAID)

    assert made.text.startswith("What does it cost? (")
    assert {"license", "licenses"} & set(made.carried)
    assert {"plates", "office"} <= set(made.carried)
    assert not {"the", "no", "do", "cost"} & set(made.carried)
    assert made.by == "rules"


def test_a_word_said_often_and_lately_weighs_most() -> None:
    carried = carried_words("And then?", SAID)

    # In two turns each; the office was named last, and the county once, long ago.
    assert set(carried[:2]) == {"plates", "office"} or "license" in carried[0]
    assert carried.index("office") < carried.index("county")


def test_without_history_a_question_is_left_alone() -> None:
    made = by_rules("What does a license cost?", ())

    assert made.text == "What does a license cost?"
    assert (made.by, made.carried) == ("none", ())


def test_forms_of_a_word_are_one_word() -> None:
    assert carried_words("Which licences?", [Message("user", "My licence's lost")]) == (
        "lost",
    )
    assert content_words("fees, a FEE and the fee's date") == ["fees", "date"]


def test_shared_part_counts_words_that_say_something() -> None:
    assert shared_part("Can I keep the plates and the stickers?", SAID) == 2 / 3
    assert shared_part("What is it then?", SAID) == 1.0
    assert shared_part("Which benches has the workshop?", SAID) == 0.0


@given(question=st.text(alphabet="abcdef ?", max_size=20), history=turns)
def test_rules_keep_the_question_and_add_only_what_was_said(
    question: str, history: list[Message]
) -> None:
    made = by_rules(question, history)

    assert made.text.startswith(question)
    assert len(made.carried) <= CARRIED_WORDS
    assert len(set(made.carried)) == len(made.carried)
    said = " ".join(turn.content.casefold() for turn in history)
    assert all(word in said for word in made.carried)


@given(history=turns, budget=st.integers(0, 30))
def test_a_budget_keeps_the_latest_turns_whole(
    history: list[Message], budget: int
) -> None:
    kept = within_budget(history, Words(), budget=budget)

    used = sum(len(Words().offsets(turn.content)) for turn in kept)
    assert used <= budget
    whole = tuple(history[len(history) - len(kept) :])
    if kept != whole:
        assert len(kept) == 1
        assert history[-1].content.startswith(kept[0].content)
    elif len(kept) < len(history):
        next_one = history[len(history) - len(kept) - 1]
        assert used + len(Words().offsets(next_one.content)) > budget


def test_a_turn_too_long_by_itself_is_cut_at_its_end() -> None:
    kept = within_budget([Message("user", "one two three four")], Words(), budget=2)

    assert kept == (Message("user", "one two"),)


def test_the_wording_of_a_model_is_used_where_it_keeps_to_the_conversation() -> None:
    made = by_model(
        'Question: "What does it cost to exchange a driver license?"\nAnd more.',
        "What does it cost?",
        SAID,
        is_cut=False,
    )

    assert made.text == "What does it cost to exchange a driver license?"
    assert (made.by, made.refused) == ("model", "")


@pytest.mark.parametrize(
    ("written", "is_cut", "why"),
    [
        ("", False, "it says nothing"),
        ("What does it cost to exchange a", True, "it did not end"),
        ("Where is the office?", False, "it leaves out what was asked"),
        (
            "Does it cost money in Florida, Texas and Ohio?",
            False,
            "it says what nobody said",
        ),
    ],
)
def test_unusable_wordings_give_way_to_the_rules(
    written: str, is_cut: bool, why: str
) -> None:
    made = by_model(written, "What does it cost?", SAID, is_cut=is_cut)

    assert made.refused == why
    assert made.text == by_rules("What does it cost?", SAID).text
    assert made.by == "rules"


def test_an_earlier_turn_once_more_is_no_wording() -> None:
    made = by_model("Do I keep the plates?", "And why so?", SAID, is_cut=False)

    assert made.refused == "it repeats an earlier turn"


def test_the_prompt_shows_the_conversation_and_ends_with_the_question() -> None:
    template = ChatTemplate(
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    )
    builder = RewritePromptBuilder(template, Words())

    text = Words().decode(builder.build("What does it\ncost?", SAID[:2]))

    shown = text.rsplit("<user>", 1)[1]
    assert shown == (
        "User: Where can I exchange my driver license?\n"
        "Assistant: Any office of the county exchanges licenses.\n"
        "Last question: What does it cost?\n"
    )
