"""The task `dialogue`: the last turn of a conversation, answered from documents.

What the task is made of: the names of its measures, the parts of a case, and which
turns need what was said before. The case itself is `core.values.DialogueCase`;
computing the measures belongs to `measure`, making a query of a turn to `augment`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from groundtune.core.values import DialogueCase, Message

NAME = "dialogue"
PRIMARY_MEASURE = "token_f1"
"""Of the answer to the last turn."""
OTHER_MEASURES = (
    "exact_match",
    "answer_contained",
    "citation_precision",
    "citation_recall",
    "abstention",
)
MAX_ANSWER_TOKENS = 96
"""Default bound of an answer: a sentence or two, citation marks included."""

TurnKind = Literal["first", "follow_up", "refers_back"]
TURN_KINDS: tuple[TurnKind, ...] = ("first", "follow_up", "refers_back")

_FEW_WORDS = 4
_POINTS_BACK = re.compile(
    r"\b(?:it|its|itself|he|him|his|she|her|hers|they|them|their|theirs|that|this|these"
    r"|those|ones?|there|then|so|such|same|other|others|another|else|either|neither"
    r"|both|too|also|instead|more)\b"
    r"|^(?:and|but|or|because|yes|yeah|no|nope|ok|okay|sure|(?:what|how) about)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")


def question(case: DialogueCase) -> str:
    """The last turn, which is to be answered."""
    return case.messages[-1].content


def history(case: DialogueCase) -> tuple[Message, ...]:
    """The turns before it, in order."""
    return case.messages[:-1]


def turn_number(case: DialogueCase) -> int:
    """Which of the user's turns the last one is, counted from 1."""
    return sum(turn.role == "user" for turn in case.messages)


def turn_kinds(case: DialogueCase) -> tuple[TurnKind, ...]:
    """What kind of turn the last one is, by its place and its own words.

    `first` where the user has said nothing before, else `follow_up`: the turns that
    need history. `refers_back` are those of them that show it in English words: four
    at most, or a word such as `it` or `another`, or `and` and the like at the start.
    """
    if turn_number(case) == 1:
        return ("first",)
    asked = question(case)
    is_short = len(_WORD.findall(asked)) <= _FEW_WORDS
    if is_short or _POINTS_BACK.search(asked.strip()):
        return ("follow_up", "refers_back")
    return ("follow_up",)
