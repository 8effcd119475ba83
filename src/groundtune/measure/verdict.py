"""Which arm to take, and how sure that is: the rules of the protocol, on values.

1. Arms that fail a gate, or the person's limit on latency, are dropped.
2. Kept is every arm whose simultaneous lower bound against the best is above -margin.
3. Of those the cheapest is taken; ties go to the one that is easier to keep
   fresh, or that has fewer parts where nothing is updated.
4. Where an arm that would be preferred is neither kept nor shown to be worse, the
   verdict is "undecided", with the number of cases that would decide it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from groundtune.measure.best import Joint, shown_better, simultaneous_lower
from groundtune.measure.costs import amounts
from groundtune.measure.flips import Flip, find_flips
from groundtune.measure.judged import Judged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.config.protocol import ProtocolSettings
    from groundtune.measure.summary import ArmFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The arm to take, or that none can be named yet."""

    arm: str | None
    decided: bool
    why: str
    flips: tuple[Flip, ...] = ()
    reason: Literal["quality", "cost", "gates", "undecided"] = "undecided"
    """Better than all others; as good within the margin, and cheaper; or alone left."""
    kept: tuple[str, ...] = ()
    """Arms not below the best by more than the margin."""
    beaten: tuple[str, ...] = ()
    """Arms shown to be worse than another."""
    gated: Mapping[str, str] = field(default_factory=dict[str, str])
    """Arms dropped beforehand, with the reason."""
    cases_needed: int | None = None
    """About how many cases in all would decide it; None if decided, or unknowable."""
    groups_needed: int | None = None
    """From how many documents cases have to be, where there are too few of them."""
    against_best: Mapping[str, float] = field(default_factory=dict[str, float])
    """Simultaneous lower bound of each arm's lead over the best of the others."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        finite = {
            name: bound if abs(bound) <= 1 else -1.0
            for name, bound in self.against_best.items()
        }
        return {
            "arm": self.arm,
            "decided": self.decided,
            "why": self.why,
            "flips": [flip.to_json() for flip in self.flips],
            "reason": self.reason,
            "kept": list(self.kept),
            "beaten": list(self.beaten),
            "gated": dict(self.gated),
            "cases_needed": self.cases_needed,
            "groups_needed": self.groups_needed,
            "against_best": finite,
        }


def decide(
    joint: Joint,
    arms: Mapping[str, ArmFigures],
    *,
    settings: ProtocolSettings,
    measure: str,
    gates: Mapping[str, str] | None = None,
) -> Verdict:
    """Judge the arms.

    Args:
        joint: Their scores on the same cases, resampled together.
        arms: Their figures, by the same names.
        settings: Error rate, margin and the person's use.
        measure: Name of the primary measure, as sentences call it.
        gates: Arms to drop, with the reason.
    """
    failed = {**too_slow(arms, settings), **_all_failed(arms), **(gates or {})}
    gated = {name: failed[name] for name in arms if name in failed}
    field_ = joint.without(tuple(gated))
    if field_.names and not field_.scores.any():
        return Verdict(
            arm=None,
            decided=False,
            why=_nothing_right(field_) + _gate_text(gated),
            gated=gated,
        )

    if len(field_.names) < 2:
        return _without_rival(field_, gated, measure=measure)

    lower_A_A = simultaneous_lower(field_, alpha=settings.alpha)
    against_best = {
        name: float(min(lower_A_A[i, j] for j in range(len(field_.names)) if j != i))
        for i, name in enumerate(field_.names)
    }
    better = shown_better(field_, alpha=settings.alpha)
    kept = tuple(n for n in field_.names if against_best[n] > -settings.margin)
    beaten = tuple(n for n in field_.names if any(worse == n for _, worse in better))
    judged = Judged(
        joint=field_,
        arms={name: arms[name] for name in field_.names},
        better=better,
        settings=settings,
        measure=measure,
        amounts=amounts(arms, settings),
    )
    chosen = judged.cheapest(kept) if kept else None
    if chosen is None or not judged.settles(chosen, kept):
        needed = judged.cases_needed(beaten)
        return Verdict(
            arm=None,
            decided=False,
            flips=_cases_flip(needed, settings),
            why=judged.why_undecided(beaten) + _gate_text(gated),
            kept=kept,
            beaten=beaten,
            gated=gated,
            cases_needed=needed,
            groups_needed=judged.fewest_groups if judged.too_few_groups else None,
            against_best=against_best,
        )
    flips = find_flips(chosen, judged.arms, settings)
    flips = [*judged.margin_flips(chosen, kept), *flips]
    wins = all((chosen, name) in better for name in field_.names if name != chosen)
    why = judged.why_better(chosen) if wins else judged.why_cheaper(chosen, kept)
    return Verdict(
        arm=chosen,
        decided=True,
        why=why + _gate_text(gated),
        flips=tuple(flips),
        reason="quality" if wins else "cost",
        kept=kept,
        beaten=beaten,
        gated=gated,
        against_best=against_best,
    )


def too_slow(
    arms: Mapping[str, ArmFigures], settings: ProtocolSettings
) -> dict[str, str]:
    """Arms of which more than 5 of 100 answers take longer than the person's limit."""
    limit = settings.latency_limit_ms
    return {
        name: (
            f"95 of 100 answers take up to {arm.latency_ms['p95']:,.0f} ms, and the "
            f"limit is {limit:,.0f} ms"
        )
        for name, arm in arms.items()
        if limit is not None and arm.latency_ms.get("p95", 0.0) > limit
    }


def _all_failed(arms: Mapping[str, ArmFigures]) -> dict[str, str]:
    """Arms that gave no answer at all: a score of 0 says nothing of their quality."""
    return {
        name: "every answer failed"
        for name, arm in arms.items()
        if arm.errors >= arm.score.n > 0 and arm.score.value == 0
    }


def _nothing_right(joint: Joint) -> str:
    return (
        f"No arm got anything right on {joint.grouping.cases:,} cases: equally bad is "
        "no reason to take one. Look at the cases, the documents or the model first."
    )


def _without_rival(left: Joint, gated: Mapping[str, str], *, measure: str) -> Verdict:
    """One arm or none is left: it is taken only where gates dropped its rivals."""
    if not left.names:
        why = "No arm is left to judge: every one failed a gate." + _gate_text(gated)
        return Verdict(arm=None, decided=False, why=why, gated=gated)
    (name,) = left.names
    if not gated:
        why = f"Only {name} is left to judge: nothing to compare it with."
        return Verdict(arm=None, decided=False, why=why)
    why = (
        f"{name} is the only arm left, with {measure} {left.mean(name):.2f} on "
        f"{left.grouping.cases:,} cases; nothing better was shown, the others were "
        "dropped."
    )
    flips = [
        Flip(what="gates", text=f"If it did not matter that {text}, {arm} would count.")
        for arm, text in gated.items()
    ]
    return Verdict(
        arm=name,
        decided=True,
        why=why + _gate_text(gated),
        flips=tuple(flips),
        reason="gates",
        kept=left.names,
        gated=gated,
    )


def _cases_flip(needed: int | None, settings: ProtocolSettings) -> tuple[Flip, ...]:
    if needed is None:
        return ()
    text = (
        f"About {needed:,} cases in all would tell the leaders apart, or show them "
        f"equal within {settings.margin:g}, if the difference stays as seen."
    )
    return (Flip(what="cases", text=text, value=needed),)


def _gate_text(gated: Mapping[str, str]) -> str:
    return "".join(f" {name} was left out: {why}." for name, why in gated.items())
