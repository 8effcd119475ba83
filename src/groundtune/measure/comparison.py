"""A whole run summed up: arms, diagnostics, contrasts, warnings and verdict.

The one door from rows to everything that a report shows. Pure: the same rows, timings
and settings give the same values. Reading the run folder is the recipe's work.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import DataError
from groundtune.core.values import ARMS
from groundtune.measure.answers import PRIMARY
from groundtune.measure.best import (
    Joint,
    chance_of_best,
    detectable,
    difference,
    interaction,
    join,
)
from groundtune.measure.checks import (
    NOTHING_TO_ANSWER,
    Counts,
    find_warnings,
    refusal_changes,
    refusal_gates,
    same_answers,
)
from groundtune.measure.corpus import with_corpus_scores
from groundtune.measure.costs import costs_of
from groundtune.measure.rows import DIAGNOSTICS, PLANNED, Figure, Row
from groundtune.measure.statistics import PairedDifference, holm, tost
from groundtune.measure.summary import (
    ArmFigures,
    Resampler,
    by_system,
    case_means,
    resampling_groups,
    retrieval_hits,
    summarise_system,
)
from groundtune.measure.verdict import Verdict, decide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXPLORATORY: tuple[tuple[str, str], ...] = (
    ("rag", "plain"),
    ("tuned", "plain"),
    ("both", "plain"),
    ("both", "naive_both"),
    ("right_passage_tuned", "right_passage_base"),
)
"""Contrasts worth a look that no claim may rest on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One system against another on the same cases."""

    a: str
    b: str
    difference: Figure
    p: float
    test: str
    planned: bool
    p_holm: float | None = None
    """Corrected for the planned family; None where exploratory."""
    equivalence_p: float = 1.0
    """Of the claim that they differ by less than the margin."""

    @property
    def name(self) -> str:
        """Such as `both-rag`."""
        return f"{self.a}-{self.b}"

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "difference": self.difference.to_json(),
            "p": self.p,
            "p_holm": self.p_holm,
            "test": self.test,
            "equivalence_p": self.equivalence_p,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything that `compare --json` prints and a report page shows."""

    task: str
    run: str
    measure: str
    arms: Mapping[str, ArmFigures]
    diagnostics: Mapping[str, ArmFigures]
    contrasts: tuple[Contrast, ...]
    exploratory: tuple[Contrast, ...]
    interaction: Figure | None
    verdict: Verdict
    warnings: tuple[str, ...]
    counts: Counts
    power: Mapping[str, float | None]
    """Smallest gap shown with 80 % power, by discordance."""
    discordance: Mapping[str, float]
    """What the discordance of each planned contrast turned out to be."""
    chance_of_best: Mapping[str, float]
    settings: ProtocolSettings = field(default_factory=ProtocolSettings)
    freshness: Mapping[str, Any] | None = None
    """What became of facts that were edited after training, where that was asked."""
    declines: Mapping[str, Figure] = field(default_factory=dict[str, Figure])
    """How much oftener trained arms decline unanswerable cases than what they came
    from; empty where there are none."""
    registered: ProtocolSettings | None = None
    """The settings that stand in the run, where other weights are used here."""
    learning_curve: Mapping[str, Any] | None = None
    """Quality by number of training cases, and a forecast, where that was asked."""
    joint: Joint | None = field(default=None, repr=False, compare=False)
    """The arms resampled together, for questions of the kind "what if"."""

    def to_json(self) -> dict[str, Any]:
        """One JSON value, as `compare --json` and `report --json` print it."""
        return {
            "task": self.task,
            "run": self.run,
            "measure": self.measure,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            "diagnostics": {n: arm.to_json() for n, arm in self.diagnostics.items()},
            "contrasts": {c.name: c.to_json() for c in self.contrasts},
            "exploratory": {c.name: c.to_json() for c in self.exploratory},
            "interaction": self.interaction.to_json() if self.interaction else None,
            "verdict": self.verdict.to_json(),
            "warnings": list(self.warnings),
            "counts": asdict(self.counts),
            "power": dict(self.power),
            "discordance": dict(self.discordance),
            "chance_of_best": dict(self.chance_of_best),
            "protocol": asdict(self.settings),
            "freshness": self.freshness,
            "costs": costs_of(self.arms, self.settings).to_json(self.settings),
            "declines": {name: f.to_json() for name, f in self.declines.items()},
            "registered": asdict(self.registered) if self.registered else None,
            "learning_curve": self.learning_curve,
        }


def summarise(
    rows: Sequence[Row],
    *,
    task: str = "qa",
    run: str = "",
    measure: str = PRIMARY,
    others: Sequence[str] = (),
    timings: Sequence[Mapping[str, Any]] = (),
    resources: Mapping[str, Mapping[str, Any]] | None = None,
    settings: ProtocolSettings | None = None,
    gates: Mapping[str, str] | None = None,
) -> Summary:
    """Sum up a run.

    Arms are compared on the cases that every arm has a row for; a failed case has one
    and scores 0. Several training seeds of one case are averaged first.

    Args:
        rows: All rows of the run.
        task: The task, for the record.
        run: The run folder, for the record.
        measure: Name of the primary score.
        others: Measures of the whole set beside it, as `corpus` names them.
        timings: Lines of `timings.jsonl`.
        resources: Content of `resources.json`.
        settings: The protocol; defaults where None.
        gates: Arms that failed a gate measured elsewhere, with the reason.

    Raises:
        DataError: No arm has a row, or no case has a row of every arm.
    """
    settings = settings or ProtocolSettings()
    systems = by_system(rows)
    names = [name for name in ARMS if name in systems]
    shared = _shared_cases(systems, names, where=run)
    everything = {row.case for name in names for row in systems[name]}
    systems = {
        name: [row for row in found if name not in names or row.case in shared]
        for name, found in systems.items()
        if name in names or name in DIAGNOSTICS
    }
    # A measure of the whole set, of the very cases that are compared.
    wanted = (measure, *others)
    systems = {
        name: with_corpus_scores(found, wanted) for name, found in systems.items()
    }
    resampler = Resampler(seed=settings.seed, draws=settings.draws)
    groups = resampling_groups(rows, unit=settings.unit)
    hits = retrieval_hits(systems)
    figures = {
        name: summarise_system(
            name,
            found,
            primary=measure,
            resampler=resampler,
            groups=groups,
            hits=hits,
            timings=[line for line in timings if line.get("system") == name],
            resources=(resources or {}).get(name),
        )
        for name, found in systems.items()
        if found
    }
    arms = {name: figures[name] for name in names}
    diagnostics = {name: figures[name] for name in DIAGNOSTICS if name in figures}

    scores = {
        name: case_means(systems[name], lambda row: row.scores.get(measure, 0.0))
        for name in figures
    }
    cases = sorted(shared)
    labels = [groups[case] for case in cases]
    joint = join(
        {name: [scores[name][case] for case in cases] for name in names},
        labels,
        rng=resampler.rng(),
        draws=settings.draws,
    )
    planned = [pair for pair in PLANNED if set(pair) <= set(names)]
    contrasts = _planned(joint, planned, labels, settings)
    counts = Counts(
        cases=len(cases),
        groups=joint.grouping.count,
        unanswerable=sum(
            not row.answerable
            for row in {r.case: r for r in systems[names[0]]}.values()
        ),
        incomplete=len(everything) - len(cases),
        one_group=len({row.group for row in rows}) == 1,
        unreviewed=sum(
            not row.reviewed for row in {r.case: r for r in systems[names[0]]}.values()
        ),
        same_answers=same_answers(systems, names),
    )
    failed = refusal_gates(
        systems, settings=settings, resampler=resampler, groups=groups
    )
    verdict = decide(
        joint,
        arms,
        settings=settings,
        measure=label(measure),
        gates={**failed, **(gates or {})},
    )
    if counts.unanswerable == counts.cases:
        verdict = Verdict(arm=None, decided=False, why=NOTHING_TO_ANSWER)
    found = interaction(joint)
    return Summary(
        task=task,
        run=run,
        measure=measure,
        arms=arms,
        diagnostics=diagnostics,
        contrasts=tuple(contrasts),
        exploratory=tuple(_exploratory(scores, groups, settings, resampler)),
        interaction=found
        and Figure(value=found.value, low=found.low, high=found.high, n=len(cases)),
        verdict=verdict,
        warnings=tuple(
            find_warnings(arms, diagnostics, counts=counts, settings=settings)
        ),
        counts=counts,
        power=detectable(joint, planned, settings),
        discordance={
            f"{a}-{b}": float((joint.gaps(a, b) ** 2).mean()) for a, b in planned
        },
        chance_of_best=chance_of_best(joint),
        settings=settings,
        declines=refusal_changes(systems, resampler=resampler, groups=groups),
        joint=joint,
    )


def label(measure: str) -> str:
    """A measure's name as a person reads it, such as `token F1`."""
    known = {
        "token_f1": "token F1",
        "contains": "answer contained",
        "hit": "right passage found",
        "entity_f1": "entity F1",
        "macro_f1": "macro F1",
        "bleu": "BLEU / 100",
        "chrf": "chrF / 100",
        "rouge_l": "ROUGE-L",
        "peak_memory_mb": "peak memory, MB",
        "train_seconds": "training, s",
    }
    return known.get(measure, measure.replace("_", " "))


def _shared_cases(
    systems: Mapping[str, Sequence[Row]], names: Sequence[str], *, where: str
) -> set[str]:
    if not names:
        raise DataError(
            "the run holds no row of any arm",
            fix="run `groundtune compare` with this folder as --out",
            where=where,
        )
    shared = set.intersection(*({row.case for row in systems[n]} for n in names))
    if not shared:
        raise DataError(
            "no case has been answered by every arm yet",
            fix="run the same `groundtune compare` command again: it resumes",
            where=where,
        )
    return shared


def _planned(
    joint: Joint,
    pairs: Sequence[tuple[str, str]],
    labels: Sequence[str],
    settings: ProtocolSettings,
) -> list[Contrast]:
    found = {(a, b): difference(joint, a, b) for a, b in pairs}
    corrected = holm({f"{a}-{b}": gap.p for (a, b), gap in found.items()})
    at = joint.names.index
    return [
        _contrast(
            (a, b),
            gap,
            tost(
                joint.scores[at(a)],
                joint.scores[at(b)],
                labels,
                margin=settings.margin,
                alpha=settings.alpha,
            ).p,
            p_holm=corrected[f"{a}-{b}"],
        )
        for (a, b), gap in found.items()
    ]


def _exploratory(
    scores: Mapping[str, Mapping[str, float]],
    groups: Mapping[str, str],
    settings: ProtocolSettings,
    resampler: Resampler,
) -> list[Contrast]:
    found: list[Contrast] = []
    for a, b in EXPLORATORY:
        if a not in scores or b not in scores:
            continue
        # A diagnostic may cover fewer cases, such as the answerable ones alone.
        cases = sorted(scores[a].keys() & scores[b].keys())
        if not cases:
            continue
        labels = [groups[case] for case in cases]
        pair = join(
            {name: [scores[name][case] for case in cases] for name in (a, b)},
            labels,
            rng=resampler.rng(),
            draws=settings.draws,
        )
        gap = difference(pair, a, b)
        equal = tost(
            pair.scores[0],
            pair.scores[1],
            labels,
            margin=settings.margin,
            alpha=settings.alpha,
        )
        found.append(_contrast((a, b), gap, equal.p, p_holm=None))
    return found


def _contrast(
    pair: tuple[str, str],
    gap: PairedDifference,
    equivalence_p: float,
    *,
    p_holm: float | None,
) -> Contrast:
    return Contrast(
        a=pair[0],
        b=pair[1],
        difference=Figure(value=gap.difference, low=gap.low, high=gap.high, n=gap.n),
        p=gap.p,
        test=gap.test,
        planned=p_holm is not None,
        p_holm=p_holm,
        equivalence_p=equivalence_p,
    )
