"""Any two systems on the same cases: two runs, two models, two prompts, two retrievals.

The statistics of a comparison's contrasts, without its arms and its verdict on costs.
One difference was asked about, so nothing is corrected for. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from groundtune.core.errors import DataError
from groundtune.measure import power
from groundtune.measure.corpus import with_corpus_scores
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import compare_paired, tost
from groundtune.measure.summary import (
    ArmFigures,
    Resampler,
    case_means,
    resampling_groups,
    retrieval_hits,
    summarise_system,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.config.protocol import ProtocolSettings
    from groundtune.measure.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two systems, and what can be said of the first against the second."""

    task: str
    measure: str
    names: tuple[str, str]
    figures: Mapping[str, ArmFigures]
    difference: Figure
    """First minus second."""
    p: float
    test: str
    equivalence_p: float
    margin: float
    outcome: Literal["better", "worse", "equivalent", "undecided"]
    cases_needed: int | None
    """About how many cases would decide it, where it is open."""

    @property
    def told(self) -> str:
        """The outcome in a sentence."""
        first, second = self.names
        gap = (
            f"{self.difference.value:+.3f} [{self.difference.low:+.3f}, "
            f"{self.difference.high:+.3f}], p = {self.p:.3f}, n = {self.difference.n:,}"
        )
        if self.outcome == "better":
            return f"{first} is better than {second}: {gap}."
        if self.outcome == "worse":
            return f"{second} is better than {first}: {gap}."
        if self.outcome == "equivalent":
            return f"{first} and {second} are equal within {self.margin:g}: {gap}."
        more = (
            f" About {self.cases_needed:,} cases would decide it."
            if self.cases_needed
            else ""
        )
        return f"{first} and {second} cannot be told apart: {gap}.{more}"

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "task": self.task,
            "measure": self.measure,
            "systems": {name: one.to_json() for name, one in self.figures.items()},
            "difference": self.difference.to_json(),
            "p": self.p,
            "test": self.test,
            "equivalence_p": self.equivalence_p,
            "margin": self.margin,
            "outcome": self.outcome,
            "cases_needed": self.cases_needed,
            "why": self.told,
        }


def compare_pair(
    rows: Mapping[str, Sequence[Row]],
    *,
    task: str,
    measure: str,
    settings: ProtocolSettings,
    timings: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Pair:
    """Hold two systems against each other on the cases that both have a row for.

    Args:
        rows: Of each system, by the name it is shown under; two of them.
        task: The task, for the record.
        measure: Name of the primary score.
        settings: Error rate, margin, draws.
        timings: Lines of `timings.jsonl` of each system.

    Raises:
        DataError: They share no case, or a case of one id is another case there.
    """
    (first, a_rows), (second, b_rows) = rows.items()
    shared = {row.case for row in a_rows} & {row.case for row in b_rows}
    if not shared:
        raise DataError(
            f"{first} and {second} have no case in common",
            fix="compare systems that were measured on the same test cases",
        )
    asked = {row.case: (row.question, row.answers) for row in a_rows}
    for row in b_rows:
        if row.case in shared and asked[row.case] != (row.question, row.answers):
            raise DataError(
                f"case {row.case} is another case in {second} than in {first}",
                fix="compare systems that were measured on the same test cases",
            )
    kept = {
        name: with_corpus_scores([r for r in its if r.case in shared], [measure])
        for name, its in rows.items()
    }
    groups = resampling_groups(kept[first], unit=settings.unit)
    resampler = Resampler(seed=settings.seed, draws=settings.draws)
    cases = sorted(shared)
    scores = {
        name: case_means(its, lambda row: row.scores.get(measure, 0.0))
        for name, its in kept.items()
    }
    a, b = ([scores[name][case] for case in cases] for name in (first, second))
    labels = [groups[case] for case in cases]
    gap = compare_paired(a, b, labels, rng=resampler.rng(), draws=settings.draws)
    equal = tost(a, b, labels, margin=settings.margin, alpha=settings.alpha)
    outcome: Literal["better", "worse", "equivalent", "undecided"] = "undecided"
    if gap.p <= settings.alpha and gap.low > 0:
        outcome = "better"
    elif gap.p <= settings.alpha and gap.high < 0:
        outcome = "worse"
    elif equal.equivalent:
        outcome = "equivalent"
    return Pair(
        task=task,
        measure=measure,
        names=(first, second),
        figures={
            name: summarise_system(
                name,
                its,
                primary=measure,
                resampler=resampler,
                groups=groups,
                hits=retrieval_hits(kept),
                timings=(timings or {}).get(name, ()),
            )
            for name, its in kept.items()
        },
        difference=Figure(value=gap.difference, low=gap.low, high=gap.high, n=gap.n),
        p=gap.p,
        test=gap.test,
        equivalence_p=equal.p,
        margin=settings.margin,
        outcome=outcome,
        cases_needed=_needed(a, b, settings) if outcome == "undecided" else None,
    )


def _needed(
    a: Sequence[float], b: Sequence[float], settings: ProtocolSettings
) -> int | None:
    gaps_N = np.array(a) - np.array(b)
    gap = float(gaps_N.mean())
    discordance = max(float((gaps_N**2).mean()), 1 / (len(gaps_N) + 2), gap * gap)
    shown = power.cases_to_show(
        gap, discordance=discordance, alpha=settings.alpha, power=settings.power
    )
    equal = power.cases_to_equate(
        gap,
        margin=settings.margin,
        discordance=discordance,
        alpha=settings.alpha,
        power=settings.power,
    )
    return power.rounded_up(min(shown, equal))
