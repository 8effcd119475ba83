"""Rows to figures: every number of a report but the verdict.

One arm at a time here: means, rates, percentiles, each with the cases it rests on.
What arms are to each other is worked out in `best` and judged in `verdict`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.measure.citations import (
    citation_precision,
    citation_recall,
    grounded,
)
from groundtune.measure.retrieval import reciprocal_rank
from groundtune.measure.rows import Figure, Row
from groundtune.measure.statistics import mean_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """Everything measured of one system."""

    name: str
    score: Figure
    """The primary measure."""
    measures: Mapping[str, Figure] = field(default_factory=dict[str, Figure])
    """The others, by name; one is absent where no row can tell."""
    by_seed: Mapping[int, float] = field(default_factory=dict[int, float])
    """Primary measure of each training seed: points, not a distribution."""
    by_hit: Mapping[str, Figure] = field(default_factory=dict[str, Figure])
    """Primary measure where retrieval found the right passage, and where not."""
    latency_ms: Mapping[str, float] = field(default_factory=dict[str, float])
    """`p50` and `p95` of an answer, and the parts it is made of; maybe empty."""
    tokens: Mapping[str, float] = field(default_factory=dict[str, float])
    """Mean `prompt` and `output` tokens of an answer."""
    resources: Mapping[str, Any] = field(default_factory=dict[str, Any])
    errors: int = 0
    """Rows that failed and so score 0."""

    @property
    def retrieves(self) -> bool:
        """Whether it answers from passages."""
        return "hit" in self.measures

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "score": self.score.to_json(),
            "measures": {name: f.to_json() for name, f in self.measures.items()},
            "latency_ms": dict(self.latency_ms)
            if self.latency_ms
            else {"p50": None, "p95": None},
            "tokens": dict(self.tokens),
            "by_seed": {str(seed): value for seed, value in self.by_seed.items()},
            "by_hit": {name: f.to_json() for name, f in self.by_hit.items()},
            "resources": dict(self.resources),
            "errors": self.errors,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampler:
    """How intervals are made, so that every figure uses the same draws and seed."""

    seed: int = 0
    draws: int = 10_000

    def rng(self) -> np.random.Generator:
        """A fresh source of chance in the same state: order of use is no matter."""
        return np.random.default_rng(self.seed)

    def figure(self, values: Sequence[float], groups: Sequence[str]) -> Figure:
        """Mean and interval of values of cases, resampled by group."""
        found = mean_interval(values, groups, rng=self.rng(), draws=self.draws)
        return Figure(value=found.value, low=found.low, high=found.high, n=len(values))


def by_system(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of each system, in the order in which systems and rows first appear."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.system].append(row)
    return dict(found)


def case_means(
    rows: Sequence[Row], measure: Callable[[Row], float | None]
) -> dict[str, float]:
    """One value a case: the mean over training seeds, in order of case id.

    A row of which the measure cannot tell is left out; so is a case without others.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        value = measure(row)
        if value is not None:
            values[row.case].append(value)
    return {case: float(np.mean(values[case])) for case in sorted(values)}


def summarise_system(
    name: str,
    rows: Sequence[Row],
    *,
    primary: str,
    resampler: Resampler,
    groups: Mapping[str, str],
    hits: Mapping[str, bool],
    timings: Sequence[Mapping[str, Any]] = (),
    resources: Mapping[str, Any] | None = None,
) -> ArmFigures:
    """Sum up one system.

    Args:
        name: As its rows call it.
        rows: Its rows, all seeds together; at least one.
        primary: Name of the score by which arms win.
        resampler: Makes the intervals.
        groups: Unit of resampling of each case.
        hits: Whether retrieval found the right passage, for each case sought for.
        timings: Its lines of `timings.jsonl`.
        resources: Its entry of `resources.json`.
    """

    def figure(values: Mapping[str, float]) -> Figure:
        return resampler.figure(
            list(values.values()), [groups[case] for case in values]
        )

    measures: dict[str, Figure] = {}
    for label, measure in _measures(rows).items():
        values = case_means(rows, measure)
        if values and label != primary:
            measures[label] = figure(values)
    primary_values = case_means(rows, _score(primary))
    split = {
        label: {c: v for c, v in primary_values.items() if hits.get(c) is wanted}
        for label, wanted in (("found", True), ("missed", False))
    }
    return ArmFigures(
        name=name,
        score=figure(primary_values),
        measures=measures,
        by_seed=_by_seed(rows, primary),
        by_hit={label: figure(values) for label, values in split.items() if values},
        latency_ms=latencies(timings),
        tokens={
            "prompt": float(np.mean([row.prompt_tokens for row in rows])),
            "output": float(np.mean([row.output_tokens for row in rows])),
        },
        resources=dict(resources or {}),
        errors=sum(row.error is not None for row in rows),
    )


def _by_seed(rows: Sequence[Row], primary: str) -> dict[int, float]:
    seeds = sorted({row.seed for row in rows})
    return {
        seed: float(
            np.mean([r.scores.get(primary, 0.0) for r in rows if r.seed == seed])
        )
        for seed in seeds
    }


def _score(name: str) -> Callable[[Row], float | None]:
    # A row that failed before it was scored counts as 0, never as absent.
    return lambda row: row.scores.get(name, 0.0)


def _measures(rows: Sequence[Row]) -> dict[str, Callable[[Row], float | None]]:
    """What can be measured of these rows, by name, in the order shown."""
    names = dict.fromkeys(name for row in rows for name in row.scores)
    found: dict[str, Callable[[Row], float | None]] = {
        name: _score(name) for name in names
    }
    may_cite = any(row.may_cite for row in rows)
    if may_cite and any(row.hits for row in rows):
        found |= {
            "citation_precision": citation_precision,
            "citation_recall": citation_recall,
            "grounded": grounded,
        }
    if any(row.hit is not None for row in rows):
        found["hit"] = lambda row: None if row.hit is None else float(row.hit)
    if any(row.rank is not None for row in rows):
        found["reciprocal_rank"] = lambda row: (
            None if row.hit is None else reciprocal_rank(row.rank)
        )
    if may_cite:
        found["abstained"] = lambda row: float(row.abstained)
    if not all(row.answerable for row in rows):
        found["refusal_precision"] = lambda row: (
            float(not row.answerable) if row.abstained else None
        )
        found["refusal_recall"] = lambda row: (
            None if row.answerable else float(row.abstained)
        )
    return found


def latencies(timings: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds; empty without timings."""
    if not timings:
        return {}
    total = _column(timings, "total_ms")
    return {
        "p50": float(np.quantile(total, 0.5)),
        "p95": float(np.quantile(total, 0.95)),
        "mean": float(np.mean(total)),
        "first_token_p50": float(np.quantile(_column(timings, "first_token_ms"), 0.5)),
        "retrieve_p50": float(np.quantile(_column(timings, "retrieve_ms"), 0.5)),
        "n": len(timings),
    }


def _column(timings: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [float(line.get(name) or 0.0) for line in timings]


def retrieval_hits(systems: Mapping[str, Sequence[Row]]) -> dict[str, bool]:
    """Whether the right passage was found, by case, from the first arm that sought.

    Retrieval is frozen and the same in every arm, so one arm speaks for all, and
    arms that do not retrieve can be split by the same cases.
    """
    for name in ("rag", "both"):
        found = {
            row.case: row.hit for row in systems.get(name, ()) if row.hit is not None
        }
        if found:
            return found
    return {}


def resampling_groups(rows: Iterable[Row], *, unit: str) -> dict[str, str]:
    """Unit of resampling of each case: its group, or itself.

    Where all cases share one group there is nothing to resample but the cases: what
    is then claimed is about further questions on that one document.
    """
    groups = {row.case: row.group for row in rows}
    if unit == "case" or len(set(groups.values())) == 1:
        return {case: case for case in groups}
    return groups
