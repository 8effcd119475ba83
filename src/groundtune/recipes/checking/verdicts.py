"""What a verdict model says of claims, how its threshold is fitted, and the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.measure.facts import (
    evidence_recall,
    fact_figures,
    majority_share,
    share_figure,
)
from groundtune.recipes.checking.lessons import quotes_of
from groundtune.systems.fact_checker import decide
from groundtune.systems.judges import Decision
from groundtune.tasks.fact_check import DOCUMENTS, LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from groundtune.core.protocols import Progress
    from groundtune.core.values import FactLabel
    from groundtune.measure.rows import Figure
    from groundtune.recipes.checking.reading import Claims
    from groundtune.systems.fact_checker import Judge, SideJudge
    from groundtune.systems.judges import TunedJudge

    Floats = npt.NDArray[np.float64]

_REFUTED_SHIFTS = np.round(np.arange(-1.5, 1.51, 0.25), 2)
_NOT_ENOUGH_SHIFTS = np.round(np.arange(-4.0, 4.01, 0.25), 2)
_NEAR_BEST = 0.005
"""Macro F1 by which settings count as equally good: the mildest of them is taken."""


class Decided(NamedTuple):
    """A claim whose label was given, with the right evidence in view."""

    gold: FactLabel
    predicted: FactLabel
    group: str


def claim_logits(
    judge: TunedJudge, claims: Claims, *, label: str, progress: Progress
) -> list[Floats]:
    """Logits of each claim's pairs, `(P, L)` each; `(0, L)` where nothing was found."""
    made: list[Floats] = []
    for number, case in enumerate(claims.cases):
        progress(label, number, len(claims.cases))
        texts = [one.texts for one in claims.found[case.id]]
        made.append(
            judge.logits(case.claim, texts) if texts else np.zeros((0, len(LABELS)))
        )
    progress(label, len(claims.cases), len(claims.cases))
    return made


def verdicts(logits: Sequence[Floats], decision: Decision) -> list[FactLabel]:
    """The label of each claim; without evidence there is not enough of it."""
    return [decision.verdict(one) if len(one) else "NOT_ENOUGH_INFO" for one in logits]


def fit_decision(logits: Sequence[Floats], gold: Sequence[FactLabel]) -> Decision:
    """What to add to logits so that macro F1 over dev claims is best.

    Of settings that are equally good the one nearest to none at all: few claims decide
    little. Without claims, nothing is added.
    """
    if not gold:
        return Decision()
    rated: list[tuple[float, Decision]] = []
    for refuted in _REFUTED_SHIFTS.tolist():
        for not_enough in _NOT_ENOUGH_SHIFTS.tolist():
            decision = Decision(refuted=refuted, not_enough=not_enough)
            rated.append((macro_f1(gold, verdicts(logits, decision)), decision))
    best = max(score for score, _ in rated)
    good = [decision for score, decision in rated if score >= best - _NEAR_BEST]
    return min(good, key=lambda one: abs(one.refuted) + abs(one.not_enough))


def macro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Mean F1 of the labels that occur, without an interval."""
    scores: list[float] = []
    for label in {*gold, *predicted}:
        both = sum(g == p == label for g, p in zip(gold, predicted, strict=True))
        either = sum(g == label for g in gold) + sum(p == label for p in predicted)
        scores.append(2 * both / either)
    return sum(scores) / len(scores)


def label_measures(
    claims: Claims, predicted: Sequence[FactLabel], *, seed: int = 0
) -> dict[str, Any]:
    """Macro F1, accuracy and F1 by label, as `--json` prints them."""
    gold = [case.label for case in claims.cases]
    found = fact_figures(
        gold, predicted, labels=LABELS, groups=claims.groups, seed=seed
    )
    return found.to_json()


def recall_measure(claims: Claims, *, seed: int = 0) -> dict[str, Any] | None:
    """Share of deciding documents among those retrieved, over claims that have any."""
    gold: list[list[str]] = []
    found: list[list[str]] = []
    groups: list[str] = []
    for case, group in zip(claims.cases, claims.groups, strict=True):
        wanted = [
            one.document for one in claims.gold[case.id] if one.decides and one.document
        ]
        if wanted:
            gold.append(wanted)
            found.append([one.document for one in claims.found[case.id]])
            groups.append(group)
    if not gold:
        return None
    shares = evidence_recall(found, gold, k=DOCUMENTS)
    return share_figure(shares, groups, seed=seed).to_json()


def judged(
    judge: Judge, claims: Claims, *, label: str, progress: Progress
) -> list[FactLabel]:
    """The verdict of a judge on each claim, from the evidence found before."""
    made: list[FactLabel] = []
    for number, case in enumerate(claims.cases):
        progress(label, number, len(claims.cases))
        made.append(decide(judge, case.claim, claims.found[case.id]).label)
    progress(label, len(claims.cases), len(claims.cases))
    return made


def on_right_evidence(claims: Claims, judge: SideJudge) -> list[Decided]:
    """SUPPORTED or REFUTED for each claim that has quotes, from these alone."""
    made: list[Decided] = []
    for case, group in zip(claims.cases, claims.groups, strict=True):
        quotes = quotes_of(claims.gold[case.id])
        if not quotes or case.label == "NOT_ENOUGH_INFO":
            continue
        is_refuted = judge.refutes(case.claim, quotes)
        label: FactLabel = "REFUTED" if is_refuted else "SUPPORTED"
        made.append(Decided(case.label, label, group))
    return made


def right_evidence_measures(
    decided: Sequence[Decided], *, seed: int = 0
) -> dict[str, Any]:
    """Accuracy on right evidence, beside that of the most frequent label."""
    if not decided:
        return {}
    right = [float(one.gold == one.predicted) for one in decided]
    figure: Figure = share_figure(right, [one.group for one in decided], seed=seed)
    majority = majority_share([one.gold for one in decided])
    return {
        "label_given_right_evidence": figure.to_json(),
        "majority_given_right_evidence": majority,
    }
