"""What is done to the hits of a search before a model reads them. Pure.

Repeats go, a hit is cut to what stands around its best match, and hits may stand in the
order of their documents. A cut hit is a passage like any other: its text stands in the
document between its offsets.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import Hit, Passage

REPEATED = 0.8
"""Share of a hit's word pairs that a better hit has, from which it says nothing new."""

_WORD = re.compile(r"[^\W_]+")
_STEM = 5
"""Letters by which two words count as one."""


def without_repeats(hits: Sequence[Hit]) -> list[Hit]:
    """Hits that say something that no better one says, best first."""
    kept: list[Hit] = []
    seen: list[set[tuple[str, str]]] = []
    for hit in hits:
        pairs = _pairs(hit.passage.text)
        if pairs and any(len(pairs & other) >= REPEATED * len(pairs) for other in seen):
            continue
        kept.append(hit)
        seen.append(pairs)
    return kept


def centred(hits: Sequence[Hit], query: str, *, sentences: int) -> list[Hit]:
    """Each hit cut to the sentence nearest to the query and those around it.

    The nearest sentence has most of the query's words, rare ones in the hits counting
    for more; a hit that has none of them stays whole.

    Args:
        hits: As a search returns them.
        query: What was asked.
        sentences: How many to keep on each side.
    """
    wanted = stems(query)
    frequency = {
        stem: sum(stem in stems(hit.passage.text) for hit in hits) for stem in wanted
    }
    found: list[Hit] = []
    for hit in hits:
        spans = sentence_spans(hit.passage.text)
        scores = [
            sum(
                1 / frequency[stem]
                for stem in wanted & stems(hit.passage.text[span.start : span.end])
            )
            for span in spans
        ]
        if not scores or max(scores) == 0:
            found.append(hit)
            continue
        at = scores.index(max(scores))
        first, last = spans[max(0, at - sentences)], spans[at : at + sentences + 1][-1]
        found.append(replace(hit, passage=_cut(hit.passage, first.start, last.end)))
    return found


def by_position(hits: Sequence[Hit]) -> list[Hit]:
    """Hits as they are read; the document of the best hit comes first."""
    order: dict[str, int] = {}
    for rank, hit in enumerate(hits):
        order.setdefault(hit.passage.document, rank)
    return sorted(
        hits, key=lambda hit: (order[hit.passage.document], hit.passage.start)
    )


def _cut(passage: Passage, start: int, end: int) -> Passage:
    return replace(
        passage,
        start=passage.start + start,
        end=passage.start + end,
        text=passage.text[start:end],
    )


def _pairs(text: str) -> set[tuple[str, str]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return set(pairwise(words))


def stems(text: str) -> set[str]:
    """The words of a text, cut so that forms of a word count as one."""
    return {word.casefold()[:_STEM] for word in _WORD.findall(text) if len(word) > 2}
