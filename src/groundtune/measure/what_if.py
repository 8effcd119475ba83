"""What the rule of the verdict needs to be asked again with other weights.

Rows settle the bounds once; volume, prices, limits and the margin only choose among
them. So a page can hold the bounds of every set of arms that gates may leave, and judge
them anew without a server: `families` are those bounds.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

from groundtune.measure.best import Joint, difference, shown_better, simultaneous_lower
from groundtune.measure.checks import unlearnt
from groundtune.measure.costs import (
    FRESHNESS,
    RETRAINED,
    RETRIEVING,
    SIMPLICITY,
    TRAINED,
)
from groundtune.measure.verdict import too_slow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.measure.comparison import Summary
    from groundtune.measure.summary import ArmFigures


def rule_data(summary: Summary, *, label: str) -> dict[str, Any]:
    """All that the rule takes, in JSON types; `label` is what the measure is called.

    Of a summary without its joint draws nothing can be asked again: no family stands
    in it then.
    """
    dropped = _dropped_anyway(summary)
    names = [name for name in summary.arms if name not in dropped]
    settings = summary.settings
    return {
        "measure": label,
        "arms": [_arm(arm, summary.joint) for arm in summary.arms.values()],
        "dropped": dropped,
        "nothing_to_answer": summary.counts.unanswerable == summary.counts.cases,
        "declines": {
            name: {"high": change.high, "why": unlearnt(name, change)}
            for name, change in summary.declines.items()
        },
        "families": families(summary.joint, names, alpha=settings.alpha)
        if summary.joint
        else {},
        "weights": {
            "questions_per_month": settings.questions_per_month,
            "updates_per_month": settings.updates_per_month,
            "horizon_months": settings.horizon_months,
            "latency_limit_ms": settings.latency_limit_ms,
            "margin": settings.margin,
            "cost_tie": settings.cost_tie,
            "prices": asdict(settings.prices),
        },
        "trained": list(TRAINED),
        "retrained": list(RETRAINED),
        "retrieving": list(RETRIEVING),
        "freshness": list(FRESHNESS),
        "simplicity": list(SIMPLICITY),
    }


def families(
    joint: Joint, names: Sequence[str], *, alpha: float
) -> dict[str, dict[str, Any]]:
    """Bounds and shown differences of every set of two arms or more, by their names.

    `lower` is the least simultaneous lower bound of an arm's lead over the others (None
    where too few groups allow none), `better` the pairs that are shown to differ.
    """
    p_values = {
        (a, b): difference(joint, a, b).p for a, b in combinations(joint.names, 2)
    }
    found: dict[str, dict[str, Any]] = {}
    for size in range(2, len(names) + 1):
        for some in combinations(names, size):
            part = joint.without([name for name in joint.names if name not in some])
            lower_A_A = simultaneous_lower(part, alpha=alpha)
            better = shown_better(part, alpha=alpha, p_values=p_values)
            least = {
                name: float(min(lower_A_A[i, j] for j in range(size) if j != i))
                for i, name in enumerate(part.names)
            }
            found[",".join(part.names)] = {
                "lower": {n: b if abs(b) <= 1 else None for n, b in least.items()},
                "better": sorted(map(list, better)),
            }
    return found


def _arm(arm: ArmFigures, joint: Joint | None) -> dict[str, Any]:
    scores = joint.scores[joint.names.index(arm.name)] if joint else None
    return {
        "name": arm.name,
        "score": arm.score.value,
        "nothing_right": scores is not None and not scores.any(),
        "low": arm.score.low,
        "high": arm.score.high,
        "p95_ms": arm.latency_ms.get("p95"),
        "mean_ms": arm.latency_ms.get("mean"),
        "prompt": arm.tokens["prompt"],
        "output": arm.tokens["output"],
        **{
            name: arm.resources.get(name)
            for name in ("train_seconds", "index_seconds", "reindex_seconds")
        },
    }


def _dropped_anyway(summary: Summary) -> dict[str, str]:
    """Arms that are out whatever the weights are, with the reason."""
    slow = too_slow(summary.arms, summary.settings)
    unlearned = {n: unlearnt(n, change) for n, change in summary.declines.items()}
    return {
        name: why
        for name, why in summary.verdict.gated.items()
        if why not in (slow.get(name), unlearned.get(name))
    }
