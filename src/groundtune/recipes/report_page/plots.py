"""The plots of the report page, as inline SVG that follows the page's colours.

What is shown and where it stands; how it becomes SVG is in `drawing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.recipes.report_page.drawing import (
    ARM,
    BAND,
    INK,
    MUTED,
    PAPER,
    name_rows,
    page_svg,
    spoken,
    whisker,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from groundtune.measure.comparison import Summary

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""Shown where there is no figure."""

LABELS: dict[str, str] = {
    "naive_both": "naive both",
    "right_passage_base": "right passage, base",
    "right_passage_tuned": "right passage, adapter",
    "context_without_documents": "adapter, no documents",
    "random_passages": "random passages",
    "nearest_answer": "nearest answer",
}
"""How diagnostics are called where people read."""

_SAME_PREFIX = ("right_passage_tuned", "right_passage_base")

_MARKERS = {"plain": "o", "rag": "s", "tuned": "^", "both": "D"}


def label(system: str) -> str:
    """How a system is called on the page."""
    return LABELS.get(system, system.replace("_", " "))


def contrast_label(a: str, b: str) -> str:
    """How a difference is called on the page, such as `both` minus `rag`."""
    if (a, b) == _SAME_PREFIX:
        return f"right passage: adapter {MINUS} base"
    return f"{label(a)} {MINUS} {label(b)}"


def quality(summary: Summary, measure: str) -> str:
    """Primary measure of every system with its interval; diagnostics hollow."""
    systems = {**summary.arms, **summary.diagnostics}
    gap = 0.5 if summary.diagnostics else 0.0
    places = {
        name: -(i + (gap if name in summary.diagnostics else 0.0))
        for i, name in enumerate(systems)
    }

    def draw(axes: Axes) -> None:
        top = max(arm.score.high for arm in systems.values())
        limit = min(1.0, max(0.1, top * 1.04))
        for name, arm in systems.items():
            colour = ARM.get(name, MUTED)
            whisker(axes, arm.score, places[name], colour=colour)
            _dot(axes, arm.score.value, places[name], name=name)
            seeds = list(arm.by_seed.values())
            if len(seeds) > 1:
                heights = [places[name] - 0.27] * len(seeds)
                axes.plot(seeds, heights, "|", color=colour, markersize=5)
            axes.annotate(
                f"{arm.score.value:.3f}",
                (1.02, places[name]),
                xycoords=axes.get_yaxis_transform(),
                va="center_baseline",
                color=INK if name in summary.arms else MUTED,
            )
        axes.set_xlim(-0.012 * limit, limit)
        axes.set_xlabel(f"{measure}, with 95 % interval")
        name_rows(axes, {label(name): y for name, y in places.items()})

    return page_svg(
        "quality",
        draw,
        rows=len(systems) + gap,
        alt=f"{measure} of each system with its 95 % interval: "
        + "; ".join(f"{label(n)} {spoken(a.score)}" for n, a in systems.items()),
    )


def differences(summary: Summary, measure: str) -> str:
    """Paired differences with the zero line and the margin; empty without any."""
    contrasts = (*summary.contrasts, *summary.exploratory)
    if not contrasts:
        return ""
    gap = 0.5 if summary.contrasts and summary.exploratory else 0.0
    margin = summary.settings.margin

    def draw(axes: Axes) -> None:
        axes.axvspan(-margin, margin, color=BAND, linewidth=0)
        axes.axvline(0, color=MUTED, linewidth=1.2)
        places: dict[str, float] = {}
        for i, contrast in enumerate(contrasts):
            y = -(i + (0.0 if contrast.planned else gap))
            places[contrast_label(contrast.a, contrast.b)] = y
            colour = ARM.get(contrast.a, MUTED) if contrast.planned else MUTED
            whisker(axes, contrast.difference, y, colour=colour)
            name = contrast.a if contrast.planned else ""
            _dot(axes, contrast.difference.value, y, name=name)
            axes.annotate(
                f"{contrast.difference.value:+.3f}",
                (1.02, y),
                xycoords=axes.get_yaxis_transform(),
                va="center_baseline",
                color=INK if contrast.planned else MUTED,
            )
        axes.set_xlabel(f"difference in {measure}, with 95 % interval")
        name_rows(axes, places)

    return page_svg(
        "differences",
        draw,
        rows=len(contrasts) + gap,
        alt="Paired differences with 95 % intervals: "
        + "; ".join(
            f"{contrast_label(c.a, c.b)} {spoken(c.difference)}" for c in contrasts
        ),
    )


def latency(summary: Summary, measure: str) -> str:
    """Median latency against quality, with lines to p95; empty without timings."""
    timed = {name: arm for name, arm in summary.arms.items() if arm.latency_ms}
    if not timed:
        return ""

    def draw(axes: Axes) -> None:
        axes.grid(axis="y")
        for name, arm in timed.items():
            p50, p95 = arm.latency_ms["p50"], arm.latency_ms["p95"]
            colour = ARM[name]
            axes.plot([p50, p95], [arm.score.value] * 2, color=colour, linewidth=1)
            axes.plot(
                [p50, p50],
                [arm.score.low, arm.score.high],
                color=colour,
                linewidth=2.2,
                solid_capstyle="round",
            )
            _dot(axes, p50, arm.score.value, name=name, size=10)
            axes.annotate(
                name,
                (p50, arm.score.value),
                xytext=(9, 6),
                textcoords="offset points",
                weight="bold",
                color=colour,
            )
        right = max(arm.latency_ms["p95"] for arm in timed.values())
        axes.set_xlim(0, right * 1.06)
        axes.set_ylim(0, min(1.02, 1.15 * max(a.score.high for a in timed.values())))
        axes.set_xlabel("milliseconds an answer: median, line to the 95th percentile")
        axes.set_ylabel(measure)
        axes.tick_params(axis="y", labelcolor=MUTED, length=0)

    return page_svg(
        "latency",
        draw,
        rows=8,
        sides=(0.09, 0.97),
        alt="Median latency against quality: "
        + "; ".join(
            f"{name} {arm.latency_ms['p50']:,.0f} ms, {arm.score.value:.3f}"
            for name, arm in timed.items()
        ),
    )


def by_hit(summary: Summary, measure: str) -> str:
    """Quality where retrieval found the right passage (full) and missed it (hollow).

    Empty where nothing was retrieved.
    """
    split = {name: arm for name, arm in summary.arms.items() if arm.by_hit}
    if not split:
        return ""

    def draw(axes: Axes) -> None:
        places = {name: -1.25 * float(i) for i, name in enumerate(split)}
        shift = {"found": 0.17, "missed": -0.17}
        limit = max(f.high for arm in split.values() for f in arm.by_hit.values())
        for name, arm in split.items():
            for kind, figure in arm.by_hit.items():
                y = places[name] + shift[kind]
                whisker(axes, figure, y, colour=ARM[name])
                _dot(axes, figure.value, y, name=name, hollow=kind == "missed")
                axes.annotate(
                    f"{figure.value:.3f} {kind}",
                    (1.02, y),
                    xycoords=axes.get_yaxis_transform(),
                    va="center_baseline",
                    fontsize=9.5,
                    color=INK if kind == "found" else MUTED,
                )
        limit = min(1.0, max(0.1, limit * 1.04))
        axes.set_xlim(-0.012 * limit, limit)
        axes.set_xlabel(f"{measure}, with 95 % interval")
        name_rows(axes, places)

    return page_svg(
        "by-hit",
        draw,
        rows=1.4 * len(split),
        alt="Quality by whether retrieval found the right passage: "
        + "; ".join(
            f"{name} {kind} {spoken(figure)}"
            for name, arm in split.items()
            for kind, figure in arm.by_hit.items()
        ),
    )


def _dot(
    axes: Axes, x: float, y: float, *, name: str, size: float = 8, hollow: bool = False
) -> None:
    """A marker: full in the arm's colour, or hollow for what is not an arm."""
    colour = ARM.get(name, MUTED)
    axes.plot(
        [x],
        [y],
        _MARKERS.get(name, "o"),
        color=colour,
        markersize=size,
        markerfacecolor=PAPER if hollow or name not in ARM else colour,
        markeredgewidth=1.8 if hollow or name not in ARM else 1.2,
        markeredgecolor=colour if hollow or name not in ARM else PAPER,
        clip_on=False,
        zorder=5,
    )
