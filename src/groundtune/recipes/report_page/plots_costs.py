"""Quality against what it takes: time of an answer, and cost of a thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.measure.costs import costs_of
from groundtune.recipes.report_page.drawing import ARM, MUTED, WIDE, page_svg
from groundtune.recipes.report_page.plots import dot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from groundtune.measure.comparison import Summary
    from groundtune.recipes.report_page.drawing import Size


def latency(summary: Summary, measure: str, size: Size = WIDE) -> str:
    """Median latency against quality, with lines to p95; empty without timings."""
    timed = {name: arm for name, arm in summary.arms.items() if arm.latency_ms}
    if not timed:
        return ""
    limit = summary.settings.latency_limit_ms

    def draw(axes: Axes) -> None:
        for name, arm in timed.items():
            p50, p95 = arm.latency_ms["p50"], arm.latency_ms["p95"]
            axes.plot([p50, p95], [arm.score.value] * 2, color=ARM[name], linewidth=1)
        right = 1.06 * max(arm.latency_ms["p95"] for arm in timed.values())
        if limit is not None and limit < 2 * right:
            right = max(right, 1.1 * limit)
            axes.axvline(limit, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
        _against(
            axes,
            summary,
            {name: arm.latency_ms["p50"] for name, arm in timed.items()},
            right=right,
        )
        axes.set_xlabel("ms an answer: median, line to 95th percentile")
        axes.set_ylabel(measure)

    return page_svg(
        f"latency-{size.name}",
        draw,
        rows=8,
        sides=(_left(size), 0.97),
        inches=size.inches,
        alt="Median latency against quality: "
        + "; ".join(
            f"{name} {arm.latency_ms['p50']:,.0f} ms, {arm.score.value:.3f}"
            for name, arm in timed.items()
        ),
    )


def cost(summary: Summary, measure: str, size: Size = WIDE) -> str:
    """Cost of a thousand questions, all included, against quality; empty if unknown."""
    costs = costs_of(summary.arms, summary.settings)
    known = {
        name: 1000 * amount
        for name, amount in costs.a_question(summary.settings).items()
        if amount is not None
    }
    if not costs.is_known or not known:
        return ""
    unit = costs.currency if costs.unit == "money" else "s of machine time"

    def draw(axes: Axes) -> None:
        # Prices may all be 0.
        right = 1.12 * max(known.values()) or 1.0
        _against(axes, summary, known, right=right)
        axes.set_xlabel(f"{unit} for 1,000 questions, all in")
        axes.set_ylabel(measure)

    return page_svg(
        f"cost-{size.name}",
        draw,
        rows=8,
        sides=(_left(size), 0.97),
        inches=size.inches,
        alt="Cost of a thousand questions against quality: "
        + "; ".join(
            f"{name} {amount:,.2f} {unit}, {summary.arms[name].score.value:.3f}"
            for name, amount in known.items()
        ),
    )


def _left(size: Size) -> float:
    """Where the axes begin, whose numbers take the same room at any width."""
    return 0.66 / size.inches


def _against(
    axes: Axes, summary: Summary, places: dict[str, float], *, right: float
) -> None:
    """Arms as marks with the interval of their quality, named beside the mark."""
    axes.grid(axis="y")
    top = max(summary.arms[name].score.high for name in places)
    for name, x in places.items():
        score, colour = summary.arms[name].score, ARM[name]
        axes.plot(
            [x, x],
            [score.low, score.high],
            color=colour,
            linewidth=2.2,
            solid_capstyle="round",
        )
        dot(axes, x, score.value, name=name, size=10)
        is_right = x > 0.75 * right
        # Two names would lie on each other: that of the lower mark goes below it.
        is_under = any(
            abs(places[other] - x) < 0.15 * right
            and 0 < summary.arms[other].score.value - score.value < 0.08 * top
            for other in places
        )
        axes.annotate(
            name,
            (x, score.value),
            xytext=(-9 if is_right else 9, -7 if is_under else 6),
            textcoords="offset points",
            ha="right" if is_right else "left",
            va="top" if is_under else "bottom",
            weight="bold",
            color=colour,
        )
    axes.set_xlim(0, right)
    axes.set_ylim(0, min(1.02, max(0.1, 1.15 * top)))
    axes.tick_params(axis="y", labelcolor=MUTED, length=0)
    axes.locator_params(axis="x", nbins=5)
