"""The task `sentiment`: classification whose labels are opinions, from bad to good.

Cases, targets and measures are those of `classification`. What differs is the order of
labels, which a confusion matrix should show from negative to positive, and the words
that stand for them where no model was trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.tasks import classification
from groundtune.tasks.classification import target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundtune.core.values import LabelCase

__all__ = [
    "NAME",
    "OTHER_MEASURES",
    "PRIMARY_MEASURE",
    "described",
    "label_names",
    "target",
]

NAME = "sentiment"
PRIMARY_MEASURE = classification.PRIMARY_MEASURE
OTHER_MEASURES = classification.OTHER_MEASURES

_SCALE = (
    ("very negative", "strongly negative"),
    ("negative", "neg", "bad"),
    ("neutral", "neu", "mixed", "none"),
    ("positive", "pos", "good"),
    ("very positive", "strongly positive"),
)
_RANK = {name: rank for rank, names in enumerate(_SCALE) for name in names}
_SENTENCES = (
    "This is terrible, a complete waste of time.",
    "This is bad, I did not like it.",
    "This is neither good nor bad.",
    "This is good, I liked it.",
    "This is wonderful, one of the best ever.",
)


def label_names(cases: Iterable[LabelCase]) -> tuple[str, ...]:
    """The labels that occur, negative before positive where their names say so.

    Examples:
        >>> from groundtune.core.values import LabelCase
        >>> names = ("positive", "neutral", "negative")
        >>> label_names(LabelCase(id="", text="", label=name) for name in names)
        ('negative', 'neutral', 'positive')
    """
    names = classification.label_names(cases)
    if all(_rank(name) is not None for name in names):
        return tuple(sorted(names, key=lambda name: _rank(name) or 0))
    return names


def described(label: str) -> str:
    """A sentence of the opinion that a label names, for comparing with texts.

    A label that names none, such as a number, is left as its own words.
    """
    rank = _rank(label)
    return classification.described(label) if rank is None else _SENTENCES[rank]


def _rank(label: str) -> int | None:
    return _RANK.get(classification.described(label))
