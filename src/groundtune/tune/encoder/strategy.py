"""Which strategy fits the data, and why: the sentence is shown and recorded."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.config.encoder import Strategy

FEW = 64
"""Examples a label below which pairs teach more than single texts."""


class Choice(NamedTuple):
    """A strategy and the reason for it."""

    strategy: Strategy
    why: str


def choose_strategy(counts: Mapping[str, int], *, is_words: bool) -> Choice:
    """Choose by the number of training examples a label.

    Args:
        counts: Training examples of each label; for tagged words, sentences in all.
        is_words: Whether words are labelled, rather than whole texts.
    """
    total = sum(counts.values())
    if is_words:
        return Choice(
            "full",
            f"{total} sentences: every weight is trained, since the states of single "
            "words must change for tags to be told apart",
        )
    typical = int(median(counts.values()))
    if max(counts.values()) == 1:
        return Choice(
            "head",
            "one example a label: nothing can be drawn together, so only a head is "
            "fitted to the states as they are",
        )
    if typical < FEW:
        return Choice(
            "contrastive",
            f"{typical} examples a label (median), below {FEW}: texts of one label are "
            "drawn together first, then a head is fitted",
        )
    return Choice(
        "full",
        f"{typical} examples a label (median), {FEW} or more: enough to train every "
        "weight",
    )
