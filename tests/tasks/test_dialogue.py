"""Which turns are first ones, follow-ups, and words that refer back."""

from __future__ import annotations

import pytest

from groundtune.core.values import DialogueCase, Message
from groundtune.tasks import dialogue

BEFORE = (Message("user", "Is there a fee?"), Message("assistant", "Yes, a small one."))


def case(asked: str, *, before: tuple[Message, ...] = BEFORE) -> DialogueCase:
    messages = (*before, Message("user", asked))
    return DialogueCase(id="1", messages=messages, answers=("x",))


def test_a_turn_without_one_before_it_is_a_first_turn() -> None:
    greeted = case("What is it?", before=(Message("assistant", "Hello!"),))

    assert dialogue.turn_kinds(case("What is it?", before=())) == ("first",)
    assert dialogue.turn_kinds(greeted) == ("first",)
    assert dialogue.turn_number(case("What is it?")) == 2


@pytest.mark.parametrize(
    "asked", ["Does it expire?", "Who pays?", "And in which month do members pay?"]
)
def test_words_that_refer_back(asked: str) -> None:
    assert dialogue.turn_kinds(case(asked)) == ("follow_up", "refers_back")


def test_a_whole_question_is_a_follow_up_all_the_same() -> None:
    asked = case("When do students of Brennick pay the fee?")

    assert dialogue.turn_kinds(asked) == ("follow_up",)
    assert dialogue.question(asked) == "When do students of Brennick pay the fee?"
    assert dialogue.history(asked) == BEFORE
