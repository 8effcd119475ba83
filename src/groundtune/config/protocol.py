"""How a comparison is judged: error rates, margin, and what a person's use costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from groundtune.config.prices import Prices, typed
from groundtune.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS = (
    "questions_per_month",
    "updates_per_month",
    "horizon_months",
    "latency_limit_ms",
    "prices",
    "hardware",
)
"""Settings that say what a person's use is like: other weights on the same rows, which
may be asked about afterwards. All the rest is fixed before the run."""


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
    latency_limit_ms: float | None = None
    """Longest that 95 of 100 answers may take; an arm above it is dropped."""
    prices: Prices = field(default_factory=Prices)
    """What tokens and machines cost; without any, costs are machine time."""
    hardware: str = ""
    """What the times were measured on, as the person calls it."""

    def __post_init__(self) -> None:
        for name in ("alpha", "margin", "power", "low_hit_rate", "ceiling"):
            self._require(name, rule="between 0 and 1", ok=0 < self._of(name) < 1)
        for name in ("draws", "screening_cases", "questions_per_month"):
            self._require(name, rule="at least 1", ok=self._of(name) >= 1)
        for name in ("reading_floor", "updates_per_month", "cost_tie"):
            self._require(name, rule="0 or more", ok=self._of(name) >= 0)
        self._require("horizon_months", rule="above 0", ok=self.horizon_months > 0)
        self._require("unit", rule="`group` or `case`", ok=self.unit in _UNITS)
        limit = self.latency_limit_ms
        self._require("latency_limit_ms", rule="above 0", ok=limit is None or limit > 0)
        for name in ("questions_per_month", "updates_per_month", "horizon_months"):
            self._require(name, rule="that is finite", ok=isfinite(self._of(name)))

    def _of(self, name: str) -> float:
        return float(getattr(self, name))

    def _require(self, name: str, *, rule: str, ok: bool) -> None:
        if not ok:
            raise ConfigError(
                f"{name} is {getattr(self, name)}",
                fix=f"use a value {rule}"
                if not rule.startswith("`")
                else f"use {rule}",
                where=f"protocol.{name}",
            )

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any], *, where: str = "protocol") -> Self:
        """Read settings as TOML or JSON gives them.

        Raises:
            ConfigError: One is unknown, of another kind, or out of range.
        """
        return _with(cls(), raw, _KINDS, where=where)

    def with_weights(self, raw: Mapping[str, Any], *, where: str = "protocol") -> Self:
        """The same protocol with other weights; prices not named stay as they are.

        Raises:
            ConfigError: One is no weight, of another kind, or out of range.
        """
        known = {name: _KINDS[name] for name in WEIGHTS}
        raw = {
            n: v for n, v in raw.items() if n in known or v != getattr(self, n, None)
        }
        if fixed := sorted((raw.keys() & _KINDS.keys()) - known.keys()):
            raise ConfigError(
                f"{fixed[0]} is fixed before a run",
                fix=f"leave it out; what may change is {', '.join(WEIGHTS)}",
                where=f"{where}.{fixed[0]}",
            )
        return _with(self, raw, known, where=where)

    def changed_from(self, other: ProtocolSettings) -> dict[str, tuple[Any, Any]]:
        """Weights that differ, by name: `(there, here)`; prices one by one."""
        found = {
            name: (getattr(other, name), getattr(self, name))
            for name in WEIGHTS
            if name != "prices"
        }
        found |= {
            f"prices.{name}": (getattr(other.prices, name), getattr(self.prices, name))
            for name in Prices.__slots__
        }
        return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


_Settings = TypeVar("_Settings", bound=ProtocolSettings)


def _with(
    settings: _Settings, raw: Mapping[str, Any], kinds: Mapping[str, str], *, where: str
) -> _Settings:
    values = typed(raw, kinds, where=where)
    if "prices" in values:
        values["prices"] = settings.prices.with_prices(
            values["prices"], where=f"{where}.prices"
        )
    return replace(settings, **values)


_UNITS = ("group", "case")
_KINDS = {
    **dict.fromkeys(
        (
            *("alpha", "margin", "power", "low_hit_rate", "ceiling", "reading_floor"),
            *("updates_per_month", "horizon_months", "cost_tie"),
        ),
        "a number",
    ),
    **dict.fromkeys(
        ("draws", "seed", "screening_cases", "questions_per_month"), "a whole number"
    ),
    "unit": "text",
    "hardware": "text",
    "latency_limit_ms": "a time",
    "prices": "a table",
}
