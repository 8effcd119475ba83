"""The task `translation`: a text in another language.

What the task is made of: the names of its measures, what a model is shown and what it
learns to say. The case itself is `core.values.TranslationCase`; computing the measures
belongs to `measure.texts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.values import Message

if TYPE_CHECKING:
    from groundtune.core.values import TranslationCase

NAME = "translation"
PRIMARY_MEASURE = "bleu"
OTHER_MEASURES = ("chrf",)


def target(case: TranslationCase) -> str:
    """What a tuned model learns to say to `case`: the translation and nothing else."""
    return case.target


def history(case: TranslationCase) -> tuple[Message, ...]:
    """What a model is shown: the source, and nothing else."""
    return (Message("user", case.source),)
