"""Whether what an answer cites bears it out, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.measure.answers import contains, normalise

if TYPE_CHECKING:
    from groundtune.measure.rows import Place, Row


def is_right(citation: Place, row: Row) -> bool:
    """Whether a citation holds a reference answer, or lies in a gold passage."""
    if any(gold.holds(citation) for gold in row.gold):
        return True
    return bool(contains(citation.text, row.answers))


def citation_precision(row: Row) -> float | None:
    """Share of a row's citations that are right; None where it cites nothing."""
    if not row.citations:
        return None
    right = sum(is_right(citation, row) for citation in row.citations)
    return right / len(row.citations)


def citation_recall(row: Row) -> float | None:
    """1 where an answerable case got a right citation, else 0; None otherwise.

    An answer that cites nothing counts as 0: silence must not be a way to gain.
    """
    if not row.answerable:
        return None
    return float(any(is_right(citation, row) for citation in row.citations))


def grounded(row: Row) -> float | None:
    """Share of the answer's words that stand in what it cites; None if it abstained.

    Words are compared normalised, so articles and punctuation do not count; an answer
    that cites nothing has none of its words borne out. Says nothing about truth: a
    wrong answer may well be grounded.
    """
    words = normalise(row.prediction).split()
    if row.abstained or row.error is not None or not words:
        return None
    cited = {word for found in row.citations for word in normalise(found.text).split()}
    return sum(word in cited for word in words) / len(words)
