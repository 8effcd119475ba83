"""How small a gap so many cases can show, and how many cases a gap would need.

The paired form of Connor (1987) and Miettinen (1968): `discordance` is the share of
cases on which two systems differ; for graded scores, the mean squared difference.
"""

from __future__ import annotations

import math

from scipy import special

SHOWN_DISCORDANCE = (0.2, 0.3, 0.5)
"""What is printed before a run, when the true discordance is not yet known."""


def cases_to_show(
    gap: float, *, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Cases with which a gap of this size is shown with the given power.

    Not rounded. Infinite for no gap.

    Raises:
        ValueError: The gap is larger than the discordance allows.
    """
    if gap * gap > discordance:
        msg = f"a gap of {gap} needs a discordance of at least {gap * gap:.3f}"
        raise ValueError(msg)
    if gap == 0:
        return math.inf
    z_alpha, z_power = _z(1 - alpha / 2), _z(power)
    root = z_alpha * math.sqrt(discordance) + z_power * math.sqrt(
        discordance - gap * gap
    )
    return (root / gap) ** 2


def cases_to_equate(
    gap: float,
    *,
    margin: float,
    discordance: float,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Cases with which two systems are shown to differ by less than `margin`.

    Not rounded. Infinite where the gap itself is as large as the margin.
    """
    room = margin - abs(gap)
    if room <= 0:
        return math.inf
    z = _z(1 - alpha) + _z((1 + power) / 2)
    return z * z * discordance / (room * room)


def min_detectable(
    cases: int, *, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """Smallest gap that this many cases show with the given power.

    None where not even the largest gap possible, all discordant cases going one way,
    would be shown.
    """

    def needed(gap: float) -> float:
        return cases_to_show(gap, discordance=discordance, alpha=alpha, power=power)

    low, high = 0.0, discordance
    if needed(high) > cases:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if needed(middle) <= cases else (middle, high)
    return high


def power_table(
    cases: int, *, alpha: float = 0.05, power: float = 0.8
) -> dict[str, float | None]:
    """Smallest gap shown, by discordance, such as `{"0.2": 0.088, ..}`."""
    return {
        str(share): min_detectable(cases, discordance=share, alpha=alpha, power=power)
        for share in SHOWN_DISCORDANCE
    }


def rounded_up(cases: float) -> int | None:
    """A number of cases as it is told to a person: two digits; None if infinite."""
    if not math.isfinite(cases):
        return None
    step = 10 ** max(0, math.floor(math.log10(max(1.0, cases))) - 1)
    return math.ceil(cases / step) * step


def _z(probability: float) -> float:
    return float(special.ndtri(probability))
