"""The task `fact_check`: a claim, and whether documents support or refute it.

What the task is made of: labels, measures, and how a claim and sentences of a document
become the one text that a verdict model reads. The case is `core.values.FactCase`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.core.values import FACT_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.core.values import FactCase, FactLabel

NAME = "fact_check"
PRIMARY_MEASURE = "macro_f1"
OTHER_MEASURES = ("accuracy", "evidence_recall@5", "label_given_right_evidence")
LABELS = FACT_LABELS
"""Order of a verdict model's outputs."""

TEMPLATE = "pair-1"
"""Bump when `pair_text` changes: a verdict model remembers what it was trained with."""
DOCUMENTS = 5
"""Documents whose sentences are held against a claim."""
SENTENCES = 3
"""Sentences of one document that are read together."""

_SPECIAL = re.compile(r"\[(?=(?:SEP|CLS|PAD|MASK|UNK)\])")
_BETWEEN = " [SEP] "
_WORDS: dict[FactLabel, str] = {
    "SUPPORTED": "The documents support this claim.",
    "REFUTED": "The documents refute this claim.",
    "NOT_ENOUGH_INFO": "The documents do not decide this claim.",
}


def pair_text(claim: str, sentences: Iterable[str]) -> str:
    """Claim and evidence as a BERT-like encoder reads two texts: with `[SEP]` between.

    That mark is the model's own token; one that a document holds stays plain text.

    Examples:
        >>> pair_text("It rains.", ["Rain", "falls [SEP] ."])
        'It rains. [SEP] Rain falls [ SEP] .'
    """
    return f"{_plain(claim)}{_BETWEEN}{_plain(' '.join(sentences))}"


def claim_text(claim: str) -> str:
    """A claim alone, as a model without evidence reads it."""
    return _plain(claim)


def told(label: FactLabel) -> str:
    """A verdict as a sentence."""
    return _WORDS[label]


def target(case: FactCase, labels: Sequence[str]) -> int:
    """The place of a case's label among `labels`.

    Raises:
        ValueError: The label is not among them.
    """
    return labels.index(case.label)


def _plain(text: str) -> str:
    return _SPECIAL.sub("[ ", text)
