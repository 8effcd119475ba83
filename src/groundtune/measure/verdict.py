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
from math import ceil, comb, log2
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from groundtune.measure import power
from groundtune.measure.best import Joint, difference, shown_better, simultaneous_lower
from groundtune.measure.costs import amounts, cheapest, costs_of
from groundtune.measure.flips import Flip, find_flips, told_answers
from groundtune.measure.resample import Groups
from groundtune.measure.statistics import (
    CAUTION,
    PairedDifference,
    standard_error,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    judged = _Judged(
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What the sentences of a verdict are made from."""

    joint: Joint
    arms: Mapping[str, ArmFigures]
    better: set[tuple[str, str]]
    settings: ProtocolSettings
    measure: str
    amounts: Mapping[str, float]
    """What a question costs in each arm, all in one unit."""

    def cheapest(self, names: Sequence[str]) -> str:
        """Of arms that are equally good, the one to take."""
        costs = {name: self.amounts[name] for name in names}
        return cheapest(
            costs,
            tie=self.settings.cost_tie,
            updates=self.settings.updates_per_month,
        )

    def settles(self, chosen: str, kept: Sequence[str]) -> bool:
        """Whether no arm that is still open would be taken instead."""
        for name in self.joint.names:
            if name in kept or (chosen, name) in self.better:
                continue
            if self.cheapest((chosen, name)) == name:
                return False
        return True

    def ranked(self) -> list[str]:
        """Arms by score, best first."""
        return sorted(self.joint.names, key=lambda name: -self.joint.mean(name))

    def _gap(self, a: str, b: str) -> PairedDifference:
        return difference(self.joint, a, b)

    def _basis(self) -> str:
        cases, groups = self.joint.grouping.cases, self.joint.grouping.count
        return f"on {cases:,} cases" + (
            "" if groups == cases else f" from {groups:,} groups"
        )

    def why_better(self, chosen: str) -> str:
        """One arm above all others."""
        second = next(name for name in self.ranked() if name != chosen)
        gap = self._gap(chosen, second)
        return (
            f"{chosen} is best: {self.measure} {self.joint.mean(chosen):.2f} against "
            f"{self.joint.mean(second):.2f} for {second}, the next best, "
            f"{self._basis()}. The difference is {_told(gap)}."
        )

    def why_cheaper(self, chosen: str, kept: Sequence[str]) -> str:
        """An arm as good as the best within the margin, and preferred for its cost."""
        rivals = [name for name in self.ranked() if name != chosen]
        rival = next((name for name in rivals if name in kept), rivals[0])
        gap = self._gap(chosen, rival)
        costs = costs_of(self.arms, self.settings)
        margin = self.settings.margin
        if rival in kept:
            text = (
                f"{chosen}: within {margin:g} of the best, so {chosen} and {rival} "
                f"count as equal in {self.measure} {self._basis()} ({_told(gap)})"
            )
        else:
            text = (
                f"{chosen}: at most {margin:g} below any other arm in {self.measure} "
                f"{self._basis()} (against {rival} {_told(gap)})"
            )
        ours, theirs = (self.amounts[name] for name in (chosen, rival))
        if not costs.is_known:
            return f"{text}, and {chosen} sends fewer tokens or is {self._preferred()}."
        mine, its = (told_answers(each, costs) for each in (ours, theirs))
        if ours * (1 + self.settings.cost_tie) < theirs:
            return (
                f"{text}, and a thousand answers cost {mine} instead of {its}, "
                "training included."
            )
        return (
            f"{text}; a thousand answers cost {mine} against {its}, training included, "
            f"and {chosen} is {self._preferred()}."
        )

    def _preferred(self) -> str:
        """What settles a tie of costs; see `costs.cheapest`."""
        updates = self.settings.updates_per_month
        return "the easier to keep up to date" if updates else "the simpler of the two"

    def why_undecided(self, beaten: Sequence[str]) -> str:
        """Nothing to choose by, and how much more would be needed."""
        first, second = self._open_pair(beaten)
        gap = self._gap(first, second)
        text = (
            f"No clear winner {self._basis()}: {first} has {self.measure} "
            f"{self.joint.mean(first):.2f} and {second} {self.joint.mean(second):.2f}, "
            f"a difference of {_told(gap)}."
        )
        if beaten:
            verb = "is" if len(beaten) == 1 else "are"
            text += f" {' and '.join(beaten)} {verb} shown to be worse."
        if self.too_few_groups:
            return text + (
                f" {self.joint.grouping.count} groups are too few to tell "
                f"{len(self.joint.names)} arms apart, however many cases they hold: "
                f"add documents, to {self.fewest_groups} at least."
            )
        needed = self.cases_needed(beaten)
        if needed is not None:
            text += f" About {needed:,} cases would decide it."
        return text

    def _open_pair(self, beaten: Sequence[str]) -> tuple[str, str]:
        """The leader, and the best arm that it is not shown to beat."""
        first, *others = self.ranked()
        open_ = [n for n in others if (first, n) not in self.better and n not in beaten]
        return first, (open_ or others)[0]

    @property
    def too_few_groups(self) -> bool:
        """Whether the number of groups alone rules out that an arm is shown better."""
        if self.joint.grouping.count < self.fewest_groups:
            return True
        lower_A_A = simultaneous_lower(self.joint, alpha=self.settings.alpha)
        return bool(np.isinf(lower_A_A).any())

    @property
    def fewest_groups(self) -> int:
        """Groups from which a sign-flip test can be clear enough for all pairs."""
        pairs = comb(len(self.joint.names), 2)
        return ceil(1 + log2(pairs / (CAUTION * self.settings.alpha)))

    def cases_needed(self, beaten: Sequence[str]) -> int | None:
        """Cases with which the open pair is told apart, or shown equal."""
        if self.too_few_groups:
            return None
        first, second = self._open_pair(beaten)
        gaps = self.joint.gaps(first, second)
        gap = float(gaps.mean())
        # Never below one discordant case: none seen is not none to come.
        discordance = max(float((gaps**2).mean()), 1 / (len(gaps) + 2), gap * gap)
        alpha = self.settings.alpha / 3
        shown = power.cases_to_show(
            gap, discordance=discordance, alpha=alpha, power=self.settings.power
        )
        equal = power.cases_to_equate(
            gap,
            margin=self.settings.margin,
            discordance=discordance,
            alpha=alpha,
            power=self.settings.power,
        )
        scale = self._design_effect(first, second)
        needed = power.rounded_up(min(shown, equal) * scale)
        # The gap seen is itself uncertain: never promise less than half as many again.
        at_least = power.rounded_up(1.5 * self.joint.grouping.cases)
        return None if needed is None or at_least is None else max(needed, at_least)

    def _design_effect(self, first: str, second: str) -> float:
        """How many grouped cases say as much as one ungrouped case; at least 1."""
        gaps = self.joint.gaps(first, second)
        alone = standard_error(gaps, Groups.of(range(len(gaps))), doubt=1.0)
        together = standard_error(gaps, self.joint.grouping, doubt=1.0)
        return max(1.0, (together / alone) ** 2)

    def margin_flips(self, chosen: str, kept: Sequence[str]) -> list[Flip]:
        """The margin below which a better but dearer arm would be taken."""
        best = self.ranked()[0]
        if best == chosen or best not in kept:
            return []
        at = self.joint.names.index
        lower = simultaneous_lower(self.joint, alpha=self.settings.alpha)
        turn = -float(min(lower[at(chosen), j] for j in range(len(lower))))
        text = (
            f"With a margin below {turn:.3f} (here {self.settings.margin:g}) {chosen} "
            f"would no longer count as equal to {best}."
        )
        return [Flip(what="margin", text=text, value=turn)]


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


def _told(gap: PairedDifference) -> str:
    p = "p < 0.001" if gap.p < 0.001 else f"p = {gap.p:.3f}"
    return f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], {p}"


def _gate_text(gated: Mapping[str, str]) -> str:
    return "".join(f" {name} was left out: {why}." for name, why in gated.items())
