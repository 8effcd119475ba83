"""How a comparison is judged: error rates, margin, and what a person's use costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from groundtune.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolSettings:
    """What turns rows into a verdict. Reasons are in `docs/protocol.md`.

    Fixed before the run and written into it: to choose them after looking at the
    rows would make every error rate below untrue.
    """

    alpha: float = 0.05
    """Share of runs of equal systems in which one may be called better."""
    margin: float = 0.03
    """Difference in the primary measure that is of no practical meaning."""
    power: float = 0.8
    """Chance of seeing a real gap, by which sample sizes are worked out."""
    draws: int = 10_000
    """Resamples for each interval and each sign-flip test."""
    seed: int = 0
    """Of the resampling alone: same rows and seed, same figures."""
    screening_cases: int = 200
    """Below this many test cases a run is called a screening."""
    unit: Literal["group", "case"] = "group"
    """What is resampled. `case` limits every claim to the documents at hand."""
    low_hit_rate: float = 0.7
    """Below this, retrieval is named as the thing to mend first."""
    ceiling: float = 0.9
    """From here up the plain arm leaves nothing for the others to win."""
    reading_floor: float = 0.5
    """Below this with the right passage given, reading is the bottleneck."""
    questions_per_month: int = 10_000
    """Volume over which training is paid off when costs are compared."""
    updates_per_month: float = 1.0
    """How often the facts change; the tuned arm retrains each time."""
    horizon_months: float = 12.0
    """Life of the system, over which the first training is paid off."""
    cost_tie: float = 0.1
    """Costs closer than this share are a tie: the fresher arm is taken."""

    def __post_init__(self) -> None:
        for field in ("alpha", "margin", "power", "low_hit_rate", "ceiling"):
            self._require(field, rule="between 0 and 1", ok=0 < self._of(field) < 1)
        for field in ("draws", "screening_cases", "questions_per_month"):
            self._require(field, rule="at least 1", ok=self._of(field) >= 1)
        for field in ("reading_floor", "updates_per_month", "cost_tie"):
            self._require(field, rule="0 or more", ok=self._of(field) >= 0)
        self._require("horizon_months", rule="above 0", ok=self.horizon_months > 0)
        self._require("unit", rule="`group` or `case`", ok=self.unit in _UNITS)

    def _of(self, field: str) -> float:
        return float(getattr(self, field))

    def _require(self, field: str, *, rule: str, ok: bool) -> None:
        if not ok:
            raise ConfigError(
                f"{field} is {getattr(self, field)}",
                fix=f"use a value {rule}"
                if not rule.startswith("`")
                else f"use {rule}",
                where=f"protocol.{field}",
            )


_UNITS = ("group", "case")
