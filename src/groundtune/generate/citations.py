"""From an answer with marks like `[2]` to spans of documents that hold it.

A model's marks are claims, not facts: each is checked against the passages, moved to
the passage that does hold the answer, or dropped. Whether an answer is a refusal is
decided elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.values import Citation, Span
from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import Hit

_MARKS = re.compile(r"[ \t]*\[\s*\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*\]")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
_QUOTED = re.compile('"[^"]+"|\u201c[^\u201c\u201d]+\u201d')
_QUOTATION_WORDS = 3
"""Shorter quoted words are names or irony, not quotations."""
_SUPPORT = 0.6
"""Share of an answer sentence's words that a passage's sentence must have."""
_SHORT_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an and are as at be been but by did do does for from had has have he her
        his i in is it its of on or she that the their they this to was were which who
        will with you""",
    )
)


CHECK = "span, overlap"
"""What a citation is held against: the same words in the same order, or most of a
sentence's words in one sentence."""


_NO = frozenset({"cannot", "neither", "never", "no", "nobody", "none", "nor", "not"})
_NUMBER_WORDS = frozenset(
    re.findall(
        r"\w+",
        """two three four five six seven eight nine ten eleven twelve thirteen fourteen
        fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty
        seventy eighty ninety hundred thousand million billion half twice first second
        third fourth fifth""",
    )
)
"""English, as the words above; digits count in every language."""


class Grounded(NamedTuple):
    """An answer without its marks, and what it rests on."""

    text: str
    citations: tuple[Citation, ...]
    unsupported: tuple[Span, ...]
    """Sentences of `text` that nothing in the evidence supports."""


class _Claim(NamedTuple):
    """One sentence of an answer and the passages that the model named for it."""

    text: str
    marks: tuple[int, ...]
    span: Span
    """Where it stands in the answer."""


def ground(text: str, hits: Sequence[Hit]) -> Grounded:
    """Take the marks out of `text` and resolve each sentence to where it stands.

    Passages are tried in the order that the model named them, then in rank order:
    first for one that holds the sentence word for word, then, among the named ones
    (all, where none is named), for the sentence that shares most of its words, has its
    numbers, and says no where it does. A sentence without such support gets no
    citation.

    Args:
        text: What an engine wrote; `[1]` means the first hit.
        hits: The evidence, in the order in which the prompt numbered it.

    Returns:
        The text; the citations in order, each with the sentence that it supports; and
        the sentences without any. A sentence has one citation, or, where it has no
        support as a whole, one for each part that has: what it quotes, and what it
        says around the quotation. A sentence without a word is in neither.
    """
    clean, claims = _split(text)
    found: list[Citation] = []
    unsupported: list[Span] = []
    for claim in claims:
        whole = _resolve(claim, hits)
        parts = [whole] if whole else [_resolve(part, hits) for part in _parts(claim)]
        known = list(dict.fromkeys(part for part in parts if part is not None))
        found += (replace(citation, sentence=claim.span) for citation in known)
        if not known and _WORD.search(claim.text):
            unsupported.append(claim.span)
    return Grounded(clean, tuple(found), tuple(unsupported))


def _split(text: str) -> tuple[str, list[_Claim]]:
    """Separate marks from text; each mark belongs to the sentence before it."""
    clean, places = "", list[tuple[int, int]]()
    position = 0
    for match in _MARKS.finditer(text):
        clean += text[position : match.start()]
        places += [(len(clean), int(n)) for n in _NUMBER.findall(match[0])]
        position = match.end()
    clean += text[position:]
    left = len(clean) - len(clean.lstrip())
    clean = clean.strip()
    spans = sentence_spans(clean)
    named: list[list[int]] = [[] for _ in spans]
    for place, number in places:
        at = place - left
        # A mark stands inside its sentence or behind its full stop.
        owner = max((i for i, s in enumerate(spans) if s.start < at), default=0)
        if spans and number not in named[owner]:
            named[owner].append(number)
    claims = [
        _Claim(clean[span.start : span.end], tuple(numbers), span)
        for span, numbers in zip(spans, named, strict=True)
    ]
    return clean, claims


def _parts(claim: _Claim) -> list[_Claim]:
    """What stands around the quotations of a sentence, then each quotation."""
    quoted = [
        found[0]
        for found in _QUOTED.finditer(claim.text)
        if len(_WORD.findall(found[0])) >= _QUOTATION_WORDS
    ]
    around = claim.text
    for quotation in quoted:
        around = around.replace(quotation, " ")
    return [claim._replace(text=text) for text in (around, *quoted)] if quoted else []


def _resolve(claim: _Claim, hits: Sequence[Hit]) -> Citation | None:
    named = [hits[number - 1] for number in claim.marks if 1 <= number <= len(hits)]
    claimed = _Normal.of(claim.text)
    wanted = claimed.words
    if not wanted:
        return None
    for hit in [*named, *hits]:
        span = _where(claimed, hit.passage.text)
        if span is not None:
            return _cite(hit, span)
    best, best_share = None, 0.0
    for hit in named or hits:
        for span in sentence_spans(hit.passage.text):
            share = _shared(claimed, hit.passage.text[span.start : span.end])
            if share > best_share:
                best, best_share = _cite(hit, span), share
    return best if best_share >= _SUPPORT else None


def _where(claimed: _Normal, passage: str) -> Span | None:
    """Sentences of `passage` over which the words of an answer stand, in order.

    Case does not count, unless there is a choice: then the place wins where the words
    are written alike.
    """
    normal = _Normal.of(passage)
    wanted, length = claimed.words, len(claimed.words)
    places = [
        at
        for at, word in enumerate(normal.words)
        if word == wanted[0] and normal.words[at : at + length] == wanted
    ]
    if not places:
        return None
    alike = (at for at in places if normal.raw[at : at + length] == claimed.raw)
    at = next(alike, places[0])
    end = normal.spans[at + length - 1].end
    return _widen(passage, Span(normal.spans[at].start, end))


def _widen(passage: str, span: Span) -> Span:
    """The whole sentences that a span touches."""
    touched = [
        sentence
        for sentence in sentence_spans(passage)
        if sentence.start < span.end and span.start < sentence.end
    ]
    return Span(touched[0].start, touched[-1].end) if touched else span


def _shared(claimed: _Normal, sentence: str) -> float:
    """Share of the answer's content words that a sentence has; 0 if it has none.

    Also 0 where the answer has a number that the sentence has not, or only one of them
    says no: much the same words may then say the opposite.
    """
    content = {word for word in claimed.words if word not in _SHORT_WORDS}
    have = set(_Normal.of(sentence).words)
    if not _numbers(content) <= have or bool(content & _NO) != bool(have & _NO):
        return 0.0
    return len(content & have) / len(content) if content else 0.0


def _numbers(words: set[str]) -> set[str]:
    return {w for w in words if w in _NUMBER_WORDS or any(map(str.isdigit, w))}


def _cite(hit: Hit, span: Span) -> Citation:
    passage = hit.passage
    return Citation(
        document=passage.document,
        start=passage.start + span.start,
        end=passage.start + span.end,
        text=passage.text[span.start : span.end],
    )


class _Normal(NamedTuple):
    """The words of a text, without case, marks and articles, and where they stand."""

    words: tuple[str, ...]
    spans: tuple[Span, ...]
    raw: tuple[str, ...]
    """The words as they are written."""

    @classmethod
    def of(cls, text: str) -> _Normal:
        words: list[str] = []
        spans: list[Span] = []
        raw: list[str] = []
        for match in _WORD.finditer(text.translate(_QUOTES)):
            word = unicodedata.normalize("NFKC", match[0]).casefold()
            if word in {"a", "an", "the"}:
                continue
            words.append(word)
            spans.append(Span(*match.span()))
            raw.append(match[0])
        return cls(tuple(words), tuple(spans), tuple(raw))
