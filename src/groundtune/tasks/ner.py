"""The task `ner`: which words of a sentence name something, and what kind of thing.

What the task is made of: the names of its measures, the order of tags and the numbers
that stand for them in a model. The case itself is `core.values.EntityCase`, a tag a
word; reading entities out of tags and counting them belongs to `measure.entities`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.core.values import EntityCase

NAME = "ner"
PRIMARY_MEASURE = "entity_f1"
OTHER_MEASURES = ("entity_precision", "entity_recall", "macro_f1")
OUTSIDE = "O"


def tag_names(cases: Iterable[EntityCase]) -> tuple[str, ...]:
    """The tags of a model's outputs: `O`, then those of each type together.

    A type that occurs at all has both `B` and `I`, so that a model can begin and go on
    with every entity, whatever the training cases happen to hold.

    Examples:
        >>> from groundtune.core.values import EntityCase
        >>> tag_names([EntityCase(id="", tokens=("Ada",), tags=("B-PER",))])
        ('O', 'B-PER', 'I-PER')
    """
    types = {
        tag.partition("-")[2] for case in cases for tag in case.tags if tag != OUTSIDE
    }
    return (
        OUTSIDE,
        *(f"{letter}-{type_}" for type_ in sorted(types) for letter in "BI"),
    )


def target(case: EntityCase, tags: Sequence[str]) -> list[int]:
    """The place of each word's tag among `tags`.

    Raises:
        ValueError: A tag is not among them.
    """
    return [tags.index(tag) for tag in case.tags]
