"""The task `translation`: a text in another language.

What the task is made of: the names of its measures and what a tuned model learns to
say. The case itself is `core.values.TranslationCase`; computing the measures belongs to
`measure.texts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundtune.core.values import TranslationCase

NAME = "translation"
PRIMARY_MEASURE = "bleu"
OTHER_MEASURES = ("chrf",)


def target(case: TranslationCase) -> str:
    """What a tuned model learns to say to `case`: the translation and nothing else."""
    return case.target
