"""Which measures a task that writes has, and who computes them.

BLEU and chrF of a corpus for translations and replies, which have one reference each;
ROUGE for summaries, which have one or several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundtune.measure.rouge import ROUGE, rouge, rouge_gain, rouge_report
from groundtune.measure.texts import chrf_scores, text_gain, text_report
from groundtune.tasks import summarization, support, translation

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from groundtune.measure.rows import Figure

PRIMARY: Mapping[str, str] = {
    translation.NAME: translation.PRIMARY_MEASURE,
    support.NAME: support.PRIMARY_MEASURE,
    summarization.NAME: summarization.PRIMARY_MEASURE,
}
"""The measure that is quoted, by task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a system's texts score."""

    figures: Mapping[str, Figure]
    """By name, between 0 and 100."""
    signatures: Mapping[str, str]
    """By the measure's short name: how the values were made."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        figures = {name: figure.to_json() for name, figure in self.figures.items()}
        told = {f"{name}_signature": text for name, text in self.signatures.items()}
        return {**figures, **told}


def measures_of(task: str) -> tuple[str, ...]:
    """Names of a task's measures of texts against references."""
    return ROUGE if task == summarization.NAME else ("bleu", "chrf")


def measured(
    task: str,
    texts: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    groups: Sequence[Hashable],
    seed: int,
) -> Measured:
    """Measure a system's texts; of one reference each, where a task has only one."""
    if task == summarization.NAME:
        summed = rouge_report(texts, references, groups=groups, seed=seed)
        return Measured(
            figures={name: getattr(summed, name) for name in ROUGE},
            signatures={"rouge": summed.signature},
        )
    found = text_report(texts, _firsts(references), groups=groups, seed=seed)
    return Measured(
        figures={"bleu": found.bleu, "chrf": found.chrf},
        signatures={"bleu": found.bleu_signature, "chrf": found.chrf_signature},
    )


def gained(
    better: Sequence[str],
    worse: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    measure: str,
    groups: Sequence[Hashable],
    seed: int,
) -> Figure:
    """How much higher `better` scores in a measure, on the same cases."""
    if measure in ROUGE:
        return rouge_gain(
            better, worse, references, measure=measure, groups=groups, seed=seed
        )
    return text_gain(
        better, worse, _firsts(references), measure=measure, groups=groups, seed=seed
    )


def case_scores(
    task: str, texts: Sequence[str], references: Sequence[Sequence[str]]
) -> list[float]:
    """Score each case alone, for finding the poorest: by ROUGE-L, else by chrF."""
    if task != summarization.NAME:
        return chrf_scores(texts, _firsts(references))
    pairs = zip(texts, references, strict=True)
    return [rouge(text, wanted).rouge_l for text, wanted in pairs]


def _firsts(references: Sequence[Sequence[str]]) -> list[str]:
    return [wanted[0] for wanted in references]
