"""Summaries without a writer: the sentences that stand for the others, in order.

A sentence is taken if it is near the middle of the material (its centroid) and near the
topic, if it opens its passage, and if it does not repeat what was taken before. Nothing
is written, so every sentence is its own source. Axis suffixes: S sentences, D
dimensions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.core.values import Span
from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from groundtune.core.values import Hit

    Floats = npt.NDArray[np.float32]

_LEAST_WORDS = 5
_MOST_WORDS = 60
_LETTERS = 0.6
"""Share of letters and spaces below which a line is code, a table or a formula."""
_CODE = re.compile(r">>>|[{}\\]|==|\w = \w|::|://|^\s*\.\. ")
_ENDS = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]]*$")
_MARK = re.compile(r"[\W_]+")
_PRONOUN = re.compile(
    r"(?:it|its|this|that|these|those|they|them|their|he|she|such|however|but|so|then|"
    r"thus|therefore|hence|also|otherwise|instead|similarly|likewise|finally|"
    r"for example|for instance|in particular|another|here|and|or|yes|no)\b",
    re.IGNORECASE,
)
"""How a sentence begins that leans on the one before it."""

_OPENING = 0.15
"""For the first sentence of a passage, less for later ones."""
_LEANING = 0.15
"""Taken off a sentence that leans on another one."""
_CENTRE_OF_TOPIC, _TOPIC, _RANK = 0.3, 2.0, 1.5
"""Of a topic: nearness to the middle of what was found, to the topic itself, and how
well the passage fits it. The middle of what was found is often beside the topic."""
_NEW = 0.65
"""Weight of being fitting against being unlike what was taken already."""
_SAME = 0.92
"""Cosine from which a sentence says nothing that was not said."""


class Sentence(NamedTuple):
    """A sentence of a passage."""

    hit: int
    """Place of its passage among those given."""
    span: Span
    """In its document."""
    text: str
    """On one line."""
    place: int
    """Among the sentences of its passage, from 0."""

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())


class Wanted(NamedTuple):
    """How long a summary is to be, in words."""

    words: int
    tolerance: int

    def holds(self, words: int) -> bool:
        """Whether a length is the one asked for."""
        return abs(words - self.words) <= self.tolerance


def sentences_of(hits: Sequence[Hit]) -> list[Sentence]:
    """The sentences of passages that can stand alone, in order, none twice.

    Headings, code and tables are left out, and what is too short or too long. Where
    nothing remains, as of notes without a full stop, every line with words counts.
    """
    every = list(_every(hits))
    whole = [one for one in every if _is_sentence(one.text)]
    found: list[Sentence] = []
    seen: set[str] = set()
    for one in whole or [one for one in every if _MARK.sub("", one.text)]:
        key = _MARK.sub(" ", one.text).casefold()
        if key not in seen:
            seen.add(key)
            found.append(one)
    return found


def _every(hits: Sequence[Hit]) -> list[Sentence]:
    found: list[Sentence] = []
    for number, hit in enumerate(hits):
        start, text = hit.passage.start, hit.passage.text
        for place, span in enumerate(sentence_spans(text)):
            line = " ".join(text[span.start : span.end].split())
            at = Span(start + span.start, start + span.end)
            found.append(Sentence(number, at, line, place))
    return found


def _is_sentence(text: str) -> bool:
    words = len(text.split())
    plain = sum(sign.isalpha() or sign.isspace() for sign in text)
    return (
        _LEAST_WORDS <= words <= _MOST_WORDS
        and _ENDS.search(text) is not None
        and not text[:1].islower()
        and plain >= _LETTERS * len(text)
        and _CODE.search(text) is None
        and not text.endswith("?")
    )


def extract(
    hits: Sequence[Hit],
    *,
    wanted: Wanted,
    encode: Callable[[Sequence[str]], Floats],
    topic: str = "",
    least_likeness: float = 0.0,
) -> list[Sentence]:
    """Choose the sentences of a summary.

    Args:
        hits: Passages, best first where there is a topic, else in reading order.
        wanted: Its length.
        encode: Texts to unit vectors, one row a text.
        topic: What it is to be about; empty: about everything.
        least_likeness: Cosine with the topic below which a sentence is not on it.

    Returns:
        Sentences in reading order: documents in the order of their best passages, each
        from its beginning. None where none is on the topic.
    """
    sentences = sentences_of(hits)
    if not sentences:
        return []
    asked = [topic] if topic else []
    vectors_S_D = encode([*asked, *(one.text for one in sentences)])
    topic_D = vectors_S_D[0] if topic else None
    vectors_S_D = vectors_S_D[len(asked) :]
    worth_S = _worth(sentences, vectors_S_D, topic_D, hits)
    if topic_D is not None:
        worth_S[vectors_S_D @ topic_D < least_likeness] = -np.inf
    words = [one.words for one in sentences]
    chosen = _chosen(worth_S, vectors_S_D, words, wanted)
    best: dict[str, int] = {}
    for number, hit in enumerate(hits):
        best.setdefault(hit.passage.document, number)

    def order(place: int) -> tuple[int, int]:
        one = sentences[place]
        return best[hits[one.hit].passage.document], one.span.start

    return [sentences[place] for place in sorted(chosen, key=order)]


def _worth(
    sentences: Sequence[Sentence],
    vectors_S_D: Floats,
    topic_D: Floats | None,
    hits: Sequence[Hit],
) -> npt.NDArray[np.float64]:
    """How well each sentence stands for the material."""
    centre_D = vectors_S_D.mean(axis=0)
    centre_D /= float(np.linalg.norm(centre_D)) or 1.0
    worth_S = _OPENING / (1 + np.array([one.place for one in sentences]))
    worth_S -= _LEANING * np.array(
        [_PRONOUN.match(one.text) is not None for one in sentences]
    )
    central_S = (vectors_S_D @ centre_D).astype(np.float64)
    if topic_D is None:
        # What a document begins with tells most often what it is about.
        worth_S += _OPENING / (1 + np.array([one.hit for one in sentences]))
        return worth_S + central_S
    top = max(hit.score for hit in hits) or 1.0
    worth_S += _CENTRE_OF_TOPIC * central_S + _TOPIC * (vectors_S_D @ topic_D)
    worth_S += _RANK * np.array([hits[one.hit].score / top for one in sentences])
    return worth_S


def _chosen(
    worth_S: npt.NDArray[np.float64],
    vectors_S_D: Floats,
    words: Sequence[int],
    wanted: Wanted,
) -> list[int]:
    """Places of sentences by maximal marginal relevance, as long as there is room."""
    words_S = np.array(words)
    open_S = np.isfinite(worth_S)
    nearest_S = np.zeros(len(worth_S))
    chosen: list[int] = []
    total = 0
    most = wanted.words + wanted.tolerance // 2
    while total < wanted.words - wanted.tolerance // 2:
        fits_S = open_S & (total + words_S <= most)
        if not fits_S.any():
            if most == wanted.words + wanted.tolerance:
                break
            # Nothing short enough is left: what is allowed at all is better than less.
            most = wanted.words + wanted.tolerance
            continue
        gain_S = _NEW * worth_S - (1 - _NEW) * nearest_S
        best = int(np.argmax(np.where(fits_S, np.round(gain_S, 6), -np.inf)))
        chosen.append(best)
        total += words[best]
        alike_S = vectors_S_D @ vectors_S_D[best]
        nearest_S = np.maximum(nearest_S, alike_S)
        open_S &= alike_S < _SAME
        open_S[best] = False
    if not chosen and open_S.any():
        # Not even one sentence is that short: the shortest is nearest to what is asked.
        return [int(np.argmin(np.where(open_S, words_S, np.inf)))]
    return _repaired(chosen, open_S, worth_S, words, wanted)


def _repaired(
    chosen: list[int],
    open_S: npt.NDArray[np.bool_],
    worth_S: npt.NDArray[np.float64],
    words: Sequence[int],
    wanted: Wanted,
) -> list[int]:
    """The same choice, one sentence exchanged where that gives the length asked for."""
    total = sum(words[place] for place in chosen)
    if wanted.holds(total):
        return chosen
    exchanges = [
        (float(worth_S[new] - worth_S[old]), -new, old)
        for old in chosen
        for new in (int(place) for place in np.flatnonzero(open_S))
        if wanted.holds(total - words[old] + words[new])
    ]
    if not exchanges:
        return chosen
    _, new, old = max(exchanges)
    return [-new if place == old else place for place in chosen]
