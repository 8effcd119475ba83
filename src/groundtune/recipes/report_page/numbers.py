"""How numbers look where people read them: intervals, p-values, times, amounts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.measure.rows import Figure

NOTHING = "\N{EN DASH}"
"""Shown where there is no figure."""


def interval(figure: Figure, *, sign: str = "") -> str:
    """A figure with its interval, such as `0.512 [0.401, 0.623]`."""
    value, low, high = (
        f"{x:{sign}.3f}" for x in (figure.value, figure.low, figure.high)
    )
    return f"{value} [{low}, {high}]"


def signed_interval(figure: Figure) -> str:
    """The same with a sign, for differences."""
    return interval(figure, sign="+")


def unbroken(text: str) -> str:
    """Keep "p < 0.001" and "[+0.1, +0.2]" on one line."""
    return re.sub(r"(?<=\bp) [<=] |(?<=\d), (?=[+-]\d)", _no_break, text)


def _no_break(found: re.Match[str]) -> str:
    return found[0].replace(" ", "\u00a0")


def p_value(value: float | None) -> str:
    """A p-value to three places; never as 0."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def plain_number(value: object) -> str:
    """A number of any size; what is not measured is a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING if value is None else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def milliseconds(value: float | None) -> str:
    """A time of an answer, such as `912 ms` or `1.9 s`."""
    if value is None:
        return NOTHING
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Leaves of a JSON value with their dotted names; short lists stay together."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(x, dict | list) for x in value):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{name}[{place}]")
    elif isinstance(value, str):
        yield name, value
    else:
        yield name, json.dumps(value, ensure_ascii=False)
