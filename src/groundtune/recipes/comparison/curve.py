"""The learning curve of the tuned arm: nested parts of the training cases, measured.

Its systems are named `tuned@N`, after the number of cases they learned from. They stand
among the rows like any other; arms they are not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from groundtune.core.values import ARMS, EntityCase, LabelCase
from groundtune.data.stratify import in_hashed_order
from groundtune.measure.corpus import with_corpus_scores
from groundtune.measure.learning_curve import CurvePoint, forecast
from groundtune.measure.rows import Row
from groundtune.measure.statistics import mean_interval
from groundtune.store.files import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.data.stratify import Named
    from groundtune.store.run import RunFolder

CURVE = "learning_curve.json"
PARTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the training cases, beside all of them."""
_AT = "@"
_FARTHER = (2, 4, 10)
"""Times the data at which the curve is drawn on."""
_FEWEST = 8

_Case = TypeVar("_Case", bound="Named")


def curve_name(cases: int) -> str:
    """What rows call the model that learned from so many cases."""
    return f"tuned{_AT}{cases}"


def is_curve(name: str) -> bool:
    """Whether a system learned from a part of the cases."""
    return _AT in name


def nested_parts(cases: Sequence[_Case], *, seed: int) -> list[tuple[_Case, ...]]:
    """Parts of the cases, each in the next, with labels in their shares.

    A part with fewer cases than labels, or than eight, is left out.
    """
    ranks: Counter[str] = Counter()
    totals = Counter(_label(case) for case in cases)
    order: list[tuple[float, str, str]] = []
    for case in in_hashed_order(cases, seed=seed):
        label = _label(case)
        # How far down its own label a case stands: prefixes keep the shares.
        order.append(((ranks[label] + 0.5) / totals[label], label, case.id))
        ranks[label] += 1
    names = [name for _, _, name in sorted(order)]
    sizes = [round(share * len(cases)) for share in PARTS]
    fewest = max(_FEWEST, len(totals))
    parts: list[tuple[_Case, ...]] = []
    for size in (one for one in sizes if one >= fewest):
        drawn = set(names[:size])
        # In the order of the file, as all the cases are.
        parts.append(tuple(case for case in cases if case.id in drawn))
    return parts


def write_curve(run: RunFolder, *, measure: str, cases: int, seed: int) -> None:
    """Work out the curve and its forecast from rows, and leave them in the run.

    Args:
        run: With rows of `tuned`, of its parts, and of the other arms.
        measure: The primary one.
        cases: What `tuned` itself learned from.
        seed: Of the draws.
    """
    found = [
        Row.from_json(raw, where=f"{run.rows_path}:{number}")
        for number, raw in enumerate(run.rows(), start=1)
    ]
    rows: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in with_corpus_scores(found, [measure]):
        rows[row.system, row.seed].append(row)
    points: list[CurvePoint] = []
    told: list[dict[str, Any]] = []
    groups: list[str] = []
    for (system, row_seed), its in sorted(rows.items()):
        name, mark, size = system.partition(_AT)
        if name != "tuned":
            continue
        its.sort(key=lambda row: row.case)
        groups = [row.group for row in its]
        scores = [row.scores.get(measure, 0.0) for row in its]
        learned = int(size) if mark else cases
        interval = mean_interval(scores, groups, rng=np.random.default_rng(seed))
        points.append(
            CurvePoint(
                cases=learned,
                score=interval.value,
                seed=row_seed,
                scores=tuple(scores),
            )
        )
        told.append(
            {
                "cases": learned,
                "seed": row_seed,
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
            }
        )
    target_arm, target = _target(rows, measure)
    forecasted = forecast(
        points,
        target=target,
        at=[cases * times for times in _FARTHER],
        groups=groups,
        rng=np.random.default_rng(seed),
    )
    told.sort(key=lambda point: (point["cases"], point["seed"]))
    write_json(
        run.path / CURVE,
        {
            "measure": measure,
            "arm": "tuned",
            "points": told,
            "target": target,
            "target_arm": target_arm,
            "forecast": forecasted.to_json(),
        },
    )


def _target(
    rows: Mapping[tuple[str, int], Sequence[Row]], measure: str
) -> tuple[str, float | None]:
    """The best other arm, where it is above tuned: what more cases have to reach."""
    means: dict[str, float] = {}
    for arm in ARMS:
        scores = [
            row.scores.get(measure, 0.0)
            for (system, _), its in rows.items()
            if system == arm
            for row in its
        ]
        if scores:
            means[arm] = float(np.mean(scores))
    best = max(means, key=lambda arm: means[arm])
    return (best, means[best]) if best != "tuned" else ("", None)


def _label(case: object) -> str:
    if isinstance(case, LabelCase):
        return case.label
    if isinstance(case, EntityCase):
        return str(any(tag != "O" for tag in case.tags))
    return ""
