"""A sentence as rules see it, and the draft that one of them makes of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from groundtune.data.questions.drafts import content_words, draft, words_of
from groundtune.data.questions.phrases import in_context, is_named, leans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.core.values import Document, Span
    from groundtune.data.questions.drafts import Draft

_SMALL = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
    "fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|"
    "seventy|eighty|ninety"
)
NUMBER = rf"\d[\d,]*(?:\.\d+)?|(?:{_SMALL})(?:-\w+)?"
ABOUT = (
    r"(?:more than|less than|over|about|around|up to|at least|at most|nearly|only|"
    r"exactly|approximately|no more than) "
)
CUT = re.compile(r"\s*(?:[;:]|,(?!\d)| - | -- ).*$")
"""Where the part of a sentence ends that an answer is made of."""
CLAUSE = re.compile(r",? (?:that|which|who|where|when|because|so that|if) .*$")
_MOST_ANSWER_WORDS = 18


class Sentence(NamedTuple):
    """A sentence and where it stands."""

    document: Document
    span: Span
    text: str
    """On one line, without its last stop."""


def made(
    sentence: Sentence,
    subject: str | None,
    questions: tuple[str, ...],
    *,
    answer: str,
    rule: str,
) -> Iterator[Draft]:
    """The draft, if its answer can be one; `{s}` in a question is the subject."""
    answer = answer.strip(" ,;:\u201c\u201d\"'")
    # `May` is an answer, however little it says elsewhere.
    if subject is None or not (content_words(answer) or is_named(answer)):
        return
    if leans(answer) or re.search(r"[()\u2014`]", answer):
        return
    if len(words_of(answer)) > _MOST_ANSWER_WORDS:
        return
    ending = in_context(subject, sentence.document)
    yield draft(
        sentence.document,
        sentence.span,
        tuple(f"{q.replace('{s}', subject)}{ending}?" for q in questions),
        answer=answer,
        rule=rule,
    )
