"""Questions about how something is done, and what a word means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.data.questions.drafts import content_words, words_of
from groundtune.data.questions.phrases import is_named, leans, subject_of
from groundtune.data.questions.sentence import CLAUSE, CUT, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.data.questions.drafts import Draft
    from groundtune.data.questions.sentence import Sentence

_MOST_GOAL_WORDS = 9
_FEWEST_GOAL_WORDS = 2
_TO_DO = re.compile(
    r"^(?:In order to|To) (?P<goal>[a-z][^,;:()]+), "
    r"(?:(?:you|one|users) (?:can|should|must|may|could|need to|have to) )?"
    r"(?:simply |just )?"
    r"(?P<what>(?:use|run|type|call|set|edit|install|add|create|invoke|execute|choose|"
    r"select|press|open|import|pass|write|send|enter|specify|define|enable|bring|go to|"
    r"ask|fill in|hand in) .+)$"
)
_CAN = re.compile(
    r"^(?:You|Users|One|Visitors|Members|Guests|Anyone) can (?:also |easily |simply )?"
    r"(?P<goal>[a-z][^,;:()]+?) (?P<what>(?:by|using|via|through|with the help of) "
    r"[^;:()]+)$"
)
_MEANS = re.compile(
    r"^(?:The (?:term|word|name|abbreviation) )?(?P<subject>[^,]+?) "
    r"(?P<verb>means|refers to|denotes) (?!(?:that|of)\b)(?P<what>[^;:()]+)$"
)


def _how_to(sentence: Sentence) -> Iterator[Draft]:
    """`To purge a package, use dpkg --purge`."""
    found = _TO_DO.match(sentence.text)
    if not found or not _is_goal(found["goal"]):
        return
    goal = found["goal"]
    yield from made(
        sentence,
        goal,
        ("How do you {s}", "What is the way to {s}", "What is to be done to {s}"),
        answer=CUT.sub("", found["what"]),
        rule="how to",
    )


def _how_can(sentence: Sentence) -> Iterator[Draft]:
    """`You can search for a package using apt-cache`."""
    found = _CAN.match(sentence.text)
    if not found or not _is_goal(found["goal"]):
        return
    yield from made(
        sentence,
        found["goal"],
        ("How can you {s}", "In what way can you {s}", "What is the way to {s}"),
        answer=CUT.sub("", found["what"]),
        rule="how to",
    )


def _what_means(sentence: Sentence) -> Iterator[Draft]:
    """`The term passage denotes a cut of a document`."""
    found = _MEANS.match(sentence.text)
    if not found:
        return
    subject = subject_of(found["subject"], sentence.document)
    if subject is None or len(words_of(subject)) > 4:
        return
    base = "mean" if found["verb"] == "means" else "refer to"
    base = "denote" if found["verb"] == "denotes" else base
    what = CUT.sub("", found["what"])
    yield from made(
        sentence,
        subject,
        (
            f"What does {{s}} {base}",
            "What is meant by {s}",
            "How is the meaning of {s} explained",
        ),
        answer=what if len(words_of(what)) <= 14 else CLAUSE.sub("", what),
        rule="meaning",
    )


def _is_goal(goal: str) -> bool:
    """Whether what is to be done is understood alone."""
    count = len(words_of(goal))
    return (
        _FEWEST_GOAL_WORDS <= count <= _MOST_GOAL_WORDS
        and not leans(goal)
        and (len(content_words(goal)) >= _FEWEST_GOAL_WORDS or is_named(goal))
    )


HOWTO_RULES = (_how_to, _how_can, _what_means)
