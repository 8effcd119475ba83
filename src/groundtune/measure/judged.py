"""What rows say of arms: the cheapest, why it is taken, and what would decide it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, comb, log2
from typing import TYPE_CHECKING

import numpy as np

from groundtune.measure import power
from groundtune.measure.best import Joint, difference, simultaneous_lower
from groundtune.measure.costs import cheapest, costs_of
from groundtune.measure.flips import Flip, told_answers
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
class Judged:
    """Arms that passed the gates, and which is shown better than which."""

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


def _told(gap: PairedDifference) -> str:
    p = "p < 0.001" if gap.p < 0.001 else f"p = {gap.p:.3f}"
    return f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], {p}"
