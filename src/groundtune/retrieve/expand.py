"""More than one query for a question: its parts, or words of what was found. Pure.

What a variant finds is joined to what the question itself finds; searching is
elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_PARTS = 4
FEEDBACK_HITS = 5
"""Hits whose words are added."""
FEEDBACK_WORDS = 6
FEEDBACK_WEIGHT = 0.3
"""What the second search counts for, beside the first."""

_ASKING = r"(?:what|who|whom|whose|which|when|where|why|how)"
_CUT = re.compile(
    rf"[?;]\s+|,?\s+(?:and|or|but)\s+(?:also\s+)?(?={_ASKING}\b)|,\s+(?={_ASKING}\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_LEAST_WORDS = 3
"""Words of a part; a shorter one, such as "and when", asks nothing by itself."""
_LEAST_LETTERS = 4


def parts_of(question: str) -> list[str]:
    """The questions that a question is made of; none where it is a single one.

    Examples:
        >>> parts_of("Who wrote the charter and when was the harbour built?")
        ['Who wrote the charter', 'when was the harbour built']
        >>> parts_of("Who wrote the charter?")
        []
    """
    parts = [part.strip(" ?;,") for part in _CUT.split(question)]
    whole = [part for part in parts if len(_WORD.findall(part)) >= _LEAST_WORDS]
    return whole[:MOST_PARTS] if len(whole) > 1 else []


def feedback_words(
    query_terms: Sequence[str], found_terms: Sequence[Sequence[str]]
) -> list[str]:
    """Words that the first hits share and the query has not, the most shared first.

    Pseudo-relevance feedback, of which relevance models are the common form (Lavrenko
    and Croft, 2001): here a word counts once a hit, by how high the hit stands.

    Args:
        query_terms: Stems of the query.
        found_terms: Stems of each hit, best first.
    """
    known = set(query_terms)
    weight: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for rank, terms in enumerate(found_terms[:FEEDBACK_HITS], start=1):
        for term in dict.fromkeys(terms):
            if term in known or len(term) < _LEAST_LETTERS:
                continue
            weight[term] += round(60 / rank)
            hits[term] += 1
    shared = [term for term in weight if hits[term] > 1]
    return sorted(shared, key=lambda term: (-weight[term], term))[:FEEDBACK_WORDS]


def joined_by_best(found: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Each passage with the best score that any of the searches gave it."""
    best: dict[int, float] = {}
    for scores in found:
        for row, score in scores.items():
            best[row] = max(score, best.get(row, score))
    return best


def joined_by_weight(
    first: Mapping[int, float], second: Mapping[int, float], *, weight: float
) -> dict[int, float]:
    """A weighted mean of two searches; what one of them did not find counts as 0."""
    return {
        row: (1 - weight) * first.get(row, 0.0) + weight * second.get(row, 0.0)
        for row in {**first, **second}
    }
