"""What a reader must know before trusting the figures: warnings and gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundtune.measure.resample import Groups
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import gap_interval
from groundtune.measure.summary import case_means

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.config.protocol import ProtocolSettings
    from groundtune.measure.rows import Row
    from groundtune.measure.summary import ArmFigures, Resampler

NOTHING_TO_ANSWER = (
    "No test case has an answer, so whoever always declines is always right, and no "
    "arm can be named. Add questions that the documents answer."
)

FEWEST_GROUPS = 6
"""With fewer, no sign-flip p-value can be 0.05 or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a run rests on."""

    cases: int
    groups: int
    unanswerable: int
    incomplete: int
    """Cases that some arm has no row for; left out of every comparison."""
    one_group: bool
    """Whether all cases share one group, so that cases were resampled."""
    unreviewed: int = 0
    """Drafted by `questions`, and looked at by nobody."""
    same_answers: bool = False
    """Whether all arms said the same to every case."""


def refusal_gates(
    systems: Mapping[str, Sequence[Row]],
    *,
    settings: ProtocolSettings,
    resampler: Resampler,
    groups: Mapping[str, str],
) -> dict[str, str]:
    """Trained arms that have unlearnt to decline, against the arm they came from.

    Failed where the paired difference on unanswerable cases lies below minus the
    margin with its whole interval.
    """
    found = refusal_changes(systems, resampler=resampler, groups=groups)
    return {
        trained: unlearnt(trained, change)
        for trained, change in found.items()
        if change.high < -settings.margin
    }


UNTRAINED = {"tuned": "plain", "both": "rag"}
"""The arm that each trained arm came from."""


def unlearnt(trained: str, change: Figure) -> str:
    """Why an arm that declines less than the one it came from is dropped."""
    return (
        f"it declines {-change.value:.0%} fewer unanswerable cases than "
        f"{UNTRAINED[trained]} (n = {change.n})"
    )


def refusal_changes(
    systems: Mapping[str, Sequence[Row]],
    *,
    resampler: Resampler,
    groups: Mapping[str, str],
) -> dict[str, Figure]:
    """How much oftener trained arms decline where there is no answer than before."""
    changes: dict[str, Figure] = {}
    for trained, untrained in UNTRAINED.items():
        before, after = (
            case_means(
                systems.get(name, ()),
                lambda row: None if row.answerable else float(row.abstained),
            )
            for name in (untrained, trained)
        )
        cases = sorted(before.keys() & after.keys())
        if not cases:
            continue
        gaps_N = np.array([after[case] - before[case] for case in cases])
        found = gap_interval(
            gaps_N,
            Groups.of([groups[case] for case in cases]),
            rng=resampler.rng(),
            draws=resampler.draws,
        )
        changes[trained] = Figure(
            value=found.value, low=found.low, high=found.high, n=len(cases)
        )
    return changes


def find_warnings(
    arms: Mapping[str, ArmFigures],
    diagnostics: Mapping[str, ArmFigures],
    *,
    counts: Counts,
    settings: ProtocolSettings,
) -> list[str]:
    """Sentences, the gravest first; empty where nothing is amiss."""
    found = _about_size(counts, settings)
    found += _about_retrieval(arms, diagnostics, settings)
    found += _about_reading(diagnostics, settings)
    found += _about_training(arms, diagnostics)
    plain = arms.get("plain")
    if plain and plain.score.value >= settings.ceiling:
        found.append(
            f"The plain model already scores {plain.score.value:.2f} (n = "
            f"{plain.score.n}): there is little left for retrieval or training to win."
        )
    for name, arm in {**arms, **diagnostics}.items():
        if arm.errors:
            found.append(
                f"{name} failed on {arm.errors} rows; they score 0 and stand in "
                "rows.jsonl with the reason."
            )
    return found


def same_answers(systems: Mapping[str, Sequence[Row]], arms: Sequence[str]) -> bool:
    """Whether arms said the same, word for word, to every case."""
    said = [
        {(row.case, row.seed): row.prediction for row in systems[name]} for name in arms
    ]
    return len(said) > 1 and all(answers == said[0] for answers in said[1:])


def _about_size(counts: Counts, settings: ProtocolSettings) -> list[str]:
    found: list[str] = []
    if counts.same_answers:
        found.append(
            "All arms said the same to every case, word for word: check that they are "
            "different systems before believing that they are equally good."
        )
    if counts.unanswerable == counts.cases:
        found.append(NOTHING_TO_ANSWER)
    if counts.unreviewed:
        found.append(
            f"{counts.unreviewed} of {counts.cases} test cases were drafted by rule "
            "and reviewed by nobody, so some are wrong (groundtune questions --review)."
        )
    if counts.cases < settings.screening_cases:
        found.append(
            f"This is a screening: {counts.cases} cases, fewer than "
            f"{settings.screening_cases}. Only large gaps can be seen."
        )
    if counts.one_group or settings.unit == "case":
        found.append(
            "Cases were resampled one by one, so every claim is about further "
            "questions on these documents, not about other documents."
        )
    elif counts.groups < FEWEST_GROUPS:
        found.append(
            f"The cases come from only {counts.groups} groups; below {FEWEST_GROUPS} "
            "nothing can be shown at the 5 % level. Add documents, or set "
            'protocol.unit to "case" if these documents are all there will ever be.'
        )
    if counts.incomplete:
        found.append(
            f"{counts.incomplete} cases lack a row of some arm and were left out. Run "
            "the same command again to complete them."
        )
    return found


def _about_retrieval(
    arms: Mapping[str, ArmFigures],
    diagnostics: Mapping[str, ArmFigures],
    settings: ProtocolSettings,
) -> list[str]:
    found: list[str] = []
    rag = arms.get("rag") or arms.get("both")
    hit = rag.measures.get("hit") if rag else None
    if hit and hit.value < settings.low_hit_rate:
        found.append(
            f"Retrieval finds the right passage in {hit.value:.0%} of {hit.n} cases: "
            "mend that first (groundtune optimize), before any training."
        )
    random, rag = diagnostics.get("random_passages"), arms.get("rag")
    if random and rag and rag.score.value <= random.score.value:
        found.append(
            f"rag ({rag.score.value:.2f}) is no better than random passages "
            f"({random.score.value:.2f}): what it retrieves is not what helps."
        )
    return found


def _about_reading(
    diagnostics: Mapping[str, ArmFigures], settings: ProtocolSettings
) -> list[str]:
    base = diagnostics.get("right_passage_base")
    if base is None or base.score.value >= settings.reading_floor:
        return []
    text = (
        f"With the right passage in the prompt the base model scores only "
        f"{base.score.value:.2f} (n = {base.score.n}): reading, not retrieval, is the "
        "bottleneck, and fine-tuning on context is the lever."
    )
    tuned = diagnostics.get("right_passage_tuned")
    if tuned and tuned.score.value > base.score.value:
        text += f" The context adapter reaches {tuned.score.value:.2f}."
    return [text]


def _about_training(
    arms: Mapping[str, ArmFigures],
    diagnostics: Mapping[str, ArmFigures],
) -> list[str]:
    found: list[str] = []
    trained = [arms[name] for name in ("tuned", "both") if name in arms]
    if trained and all(len(arm.by_seed) < 2 for arm in trained):
        names = " and ".join(arm.name for arm in trained)
        found.append(
            f"One training seed for {names}: how much another would differ is not "
            "known and is in none of the intervals."
        )
    nearest = diagnostics.get("nearest_answer")
    if nearest and any(0 < a.score.value <= nearest.score.value for a in trained):
        against = " and ".join(f"{arm.name} {arm.score.value:.3f}" for arm in trained)
        found.append(
            f"Copying the answer of the nearest training case scores "
            f"{nearest.score.value:.3f}, {against}: test cases ask much of what "
            "training asked. Look for test answers among the training data, and expect "
            "less of training where new things are asked."
        )
    return found
