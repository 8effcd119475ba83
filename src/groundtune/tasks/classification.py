"""The task `classification`: one label for a text.

What the task is made of: the names of its measures, the order of labels and the number
that stands for each in a model. The case itself is `core.values.LabelCase`; computing
the measures belongs to `measure`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.core.values import LabelCase

NAME = "classification"
PRIMARY_MEASURE = "accuracy"
OTHER_MEASURES = ("macro_f1", "weighted_f1", "calibration_error", "brier", "nll")

_DIGITS = re.compile(r"(\d+)")
_NOT_WORDS = re.compile(r"[\W_]+")
_HUMP = re.compile(r"(?<=[a-z\d])(?=[A-Z])")


def label_names(cases: Iterable[LabelCase]) -> tuple[str, ...]:
    """The labels that occur, in the order of a model's outputs.

    Sorted as a person would, `grade 2` before `grade 10`. Names keep their text: what
    a model predicts is what the file said.

    Examples:
        >>> from groundtune.core.values import LabelCase
        >>> names = ("grade 10", "grade 2", "grade 2")
        >>> label_names(LabelCase(id="", text="", label=name) for name in names)
        ('grade 2', 'grade 10')
    """
    return tuple(sorted({case.label for case in cases}, key=natural_order))


def natural_order(label: str) -> tuple[tuple[object, ...], str]:
    """Key by which labels sort: numbers inside them by size, all else by letters."""
    parts = _DIGITS.split(label.casefold())
    # Text and digits take turns, so that like is compared with like; the label itself
    # settles what differs in case alone.
    return tuple(int(x) if i % 2 else x for i, x in enumerate(parts)), label


def target(case: LabelCase, labels: Sequence[str]) -> int:
    """The place of a case's label among `labels`.

    Raises:
        ValueError: The label is not among them.
    """
    return labels.index(case.label)


def described(label: str) -> str:
    """A label as words that an embedder can read: `card_arrival` is `card arrival`.

    Examples:
        >>> described("lost_or_stolenCard")
        'lost or stolen card'
    """
    words = _NOT_WORDS.sub(" ", _HUMP.sub(" ", label)).strip()
    return words.lower() or label
