"""The task `summarization`: a document, or all that a base says of a topic, in short.

What the task is made of: the names of its measures, what a model is shown and what it
learns to say. The case itself is `core.values.SummaryCase`; computing the measures
belongs to `measure.rouge`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.values import Message

if TYPE_CHECKING:
    from groundtune.core.values import SummaryCase

NAME = "summarization"
PRIMARY_MEASURE = "rouge_l"
OTHER_MEASURES = ("rouge_1", "rouge_2", "coverage", "unsupported_sentences")
DEFAULT_WORDS = 100
"""Length of a summary where nobody says how long it should be."""


def target(case: SummaryCase) -> str:
    """What a tuned model learns to say to `case`: the first of its summaries."""
    return case.summaries[0]


def history(case: SummaryCase) -> tuple[Message, ...]:
    """What a model is shown: the document or the query, and nothing else."""
    return (Message("user", case.document or case.query),)


def within(words: int, wanted: int) -> bool:
    """Whether a summary of so many words has the length that was asked for.

    A sentence is given whole or not at all, so the tolerance is 15 % of the length and
    at least ten words.

    Examples:
        >>> within(88, 100), within(84, 100), within(20, 30)
        (True, False, True)
    """
    return abs(words - wanted) <= tolerance(wanted)


def tolerance(wanted: int) -> int:
    """Words by which a summary may be longer or shorter than asked for."""
    return max(10, round(0.15 * wanted))
