"""What a rule finds in a document: a fact to ask for, and where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundtune.core.values import Document, Span

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+(?:['\u2019.\-+/]\w+)*")
_EMPTY = (
    "a about after all also am an and any are as at be been being before between "
    "both but by called can could did do does during each for from had has have how "
    "if in into is it its kind known like made many may me more most much must name "
    "named no not of on one or other our over own part per same shall should so "
    "some stand stands such tell than that the their them then there these they "
    "this those through to under until up upon used was were what when where which "
    "while who whom whose why will with within without would you your "
)
_EMPTY_WORDS = frozenset(_EMPTY.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One fact of a document, asked for in several wordings."""

    questions: tuple[str, ...]
    """Wordings, the plainest first."""
    answer: str
    rule: str
    """Which rule found it, such as `definition`."""
    document: str
    evidence: Span
    """Characters of the document that state it: the answer stands among them."""


def draft(
    document: Document,
    evidence: Span,
    questions: tuple[str, ...],
    *,
    answer: str,
    rule: str,
) -> Draft:
    """A draft whose texts are one line each."""
    return Draft(
        questions=tuple(dict.fromkeys(_begun(question) for question in questions)),
        answer=one_line(answer),
        rule=rule,
        document=document.id,
        evidence=evidence,
    )


def _begun(question: str) -> str:
    """A question as a sentence begins, but for names that are written small."""
    text = one_line(question)
    first = text.split(" ", 1)[0]
    return text[0].upper() + text[1:] if first.isalpha() else text


def one_line(text: str) -> str:
    r"""Without line breaks and repeated spaces.

    Examples:
        >>> one_line(" so\n far ")
        'so far'
    """
    return _SPACE.sub(" ", text).strip()


def words_of(text: str) -> list[str]:
    """The words, in lower case; `10.5`, `x86-64` and `it's` are one each.

    Examples:
        >>> words_of("Since 10.5, it's x86-64.")
        ['since', '10.5', "it's", 'x86-64']
    """
    return _WORD.findall(text.casefold())


def content_words(text: str) -> set[str]:
    """The words that say something, brought down to a common form of their endings.

    Examples:
        >>> sorted(content_words("The packages of the archive"))
        ['archive', 'package']
    """
    return {stem(word) for word in words_of(text) if word not in _EMPTY_WORDS}


def stem(word: str) -> str:
    """A word without the endings of number and time, roughly.

    Examples:
        >>> stem("copies"), stem("classes"), stem("status")
        ('copy', 'class', 'status')
    """
    for ending, instead, least in (
        ("ies", "y", 5),
        ("sses", "ss", 5),
        ("s", "", 4),
    ):
        if word.endswith(ending) and len(word) >= least:
            if ending == "s" and word.endswith(("ss", "us", "is")):
                return word
            return word[: -len(ending)] + instead
    return word
