"""Where sentences end: by rule, without a model, in offsets of the text given.

Used by the splitter for cuts and by whoever needs the sentence around a position.
"""

from __future__ import annotations

import re
from dataclasses import replace

from groundtune.core.values import Passage, Span

# A stop, what may close after it, then space and something that can begin a sentence;
# or a full-width stop, which needs no space; or a blank line, which always ends one.
# Anchored at the first stop of a run, and possessive where one character repeats: no
# text takes quadratic time. Groups are not: before Python 3.11.5 a possessive group
# matches too much.
_CLOSERS = "\"'\u201d\u2019)\\]"
_WIDE_CLOSERS = _CLOSERS + "\u300d\u300f\uff09"
_END = re.compile(
    rf"""
    (?<![.!?…])(?P<stop>[.!?…]++)[{_CLOSERS}]*+(?:[ ]?\[\d++\])*(?![ ]?\[\d++\])(?=\s)
    | [\u3002\uff01\uff1f][{_WIDE_CLOSERS}]*+
    | \n[ \t\r]*+\n
    """,
    re.VERBOSE,
)
_WORD_BEFORE = re.compile(r"[^\s(\[\"'\u201c\u2018]*$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]", re.UNICODE)
_TITLES = "mr mrs ms dr prof st jr sr rev gen col lt sgt capt gov sen rep hon"
_SHORTENED = "vs etc eg ie cf ca approx dept est fig figs nos vol pp ed eds al inc ltd"
_DATES_AND_PLACES = (
    "jan feb mar apr jun jul aug sep sept oct nov dec mt ft co corp bros"
)
_ABBREVIATIONS = frozenset(f"{_TITLES} {_SHORTENED} {_DATES_AND_PLACES}".split())
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"\w+")
_LEAST_WORDS = 3
"""Fewer are a heading, the number of a list, or what a cut left over."""


def sentence_spans(text: str) -> list[Span]:
    """Spans of the sentences of `text`, in order, outer white space left out.

    Every character that is not white space lies in exactly one span.

    Examples:
        >>> [tuple(span) for span in sentence_spans("Dr. No left. He ran!")]
        [(0, 12), (13, 20)]
    """
    spans: list[Span] = []
    start = _skip_space(text, 0)
    for match in _END.finditer(text):
        if match["stop"] is not None and not _ends(text, start, match):
            continue
        end = match.end()
        if end <= start:
            # A blank line among others: the space was skipped with the first.
            continue
        while end > start and text[end - 1].isspace():
            end -= 1
        if end > start:
            spans.append(Span(start, end))
        start = _skip_space(text, match.end())
    end = len(text)
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        spans.append(Span(start, end))
    return spans


def sentences_of(passage: Passage) -> list[Passage]:
    """The sentences of a passage as passages, in order; headings and scraps left out.

    Examples:
        >>> from groundtune.core.values import Passage
        >>> text = "Boats come at noon. A permit costs 12 crowns."
        >>> whole = Passage(id="a", document="a.md", start=7, end=52, text=text)
        >>> [(one.start, one.text) for one in sentences_of(whole)]
        [(7, 'Boats come at noon.'), (27, 'A permit costs 12 crowns.')]
    """
    found: list[Passage] = []
    for start, end in sentence_spans(passage.text):
        text = passage.text[start:end]
        if len(_WORD.findall(text)) < _LEAST_WORDS:
            continue
        at = passage.start + start
        found.append(
            replace(
                passage,
                id=f"{passage.id}:{start}",
                start=at,
                end=at + len(text),
                text=text,
            )
        )
    return found


def sentence_around(text: str, position: int) -> Span:
    """Span of the sentence that holds `position`, or the nearest one before it.

    Raises:
        ValueError: The text has no sentence (a bug in the caller).
    """
    spans = sentence_spans(text)
    if not spans:
        msg = "the text is blank"
        raise ValueError(msg)
    best = spans[0]
    for span in spans:
        if span.start > position:
            break
        best = span
    return best


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the stop of `match` ends the sentence begun at `start`."""
    following = _skip_space(text, match.end())
    if following < len(text) and text[following].islower():
        return False
    if match["stop"] != ".":
        return True
    # An abbreviation is short: looking further back would cost time on long lines.
    window = text[max(start, match.start() - 24) : match.start()]
    found = _WORD_BEFORE.search(window)
    word = found.group() if found else ""
    if _INITIALS.fullmatch(word) and word != "I":
        # "J. Smith", "U.S. troops": a sentence seldom ends so, and a join is harmless.
        return False
    return word.replace(".", "").casefold() not in _ABBREVIATIONS
