"""Whether what an answer cites bears it out, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.measure.answers import contains

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
    """1 where the answer's own words stand in what it cites; None if it abstained.

    Says nothing about truth: a wrong answer may well be grounded.
    """
    if row.abstained or row.error is not None:
        return None
    cited = (citation.text for citation in row.citations)
    return float(any(contains(text, [row.prediction]) for text in cited))
