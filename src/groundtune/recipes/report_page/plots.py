"""The plots of arms and their differences, as inline SVG in the page's colours.

What is shown and where it stands; how it becomes SVG is in `drawing`. Plots of cost, of
kinds of cases and of change are in the modules beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.recipes.report_page.drawing import (
    ARM,
    BAND,
    INK,
    MUTED,
    PAPER,
    WIDE,
    name_rows,
    page_svg,
    spoken,
    whisker,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from groundtune.measure.comparison import Summary
    from groundtune.recipes.report_page.drawing import Size

MINUS = "\N{MINUS SIGN}"
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

MARKERS = {"plain": "o", "rag": "s", "tuned": "^", "both": "D"}
"""What an arm is drawn as, so that colour is not all that tells them apart."""


def label(system: str) -> str:
    """How a system is called on the page."""
    return LABELS.get(system, system.replace("_", " "))


def contrast_label(a: str, b: str) -> str:
    """How a difference is called on the page, such as `both` minus `rag`."""
    if (a, b) == _SAME_PREFIX:
        return f"right passage: adapter {MINUS} base"
    return f"{label(a)} {MINUS} {label(b)}"


def quality(summary: Summary, measure: str, size: Size = WIDE) -> str:
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
            dot(axes, arm.score.value, places[name], name=name)
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
        name_rows(axes, {size.named(label(n)): y for n, y in places.items()})

    return page_svg(
        f"quality-{size.name}",
        draw,
        rows=len(systems) + gap,
        sides=(size.left, size.right),
        inches=size.inches,
        row_inches=size.row_inches,
        alt=f"{measure} of each system with its 95 % interval: "
        + "; ".join(f"{label(n)} {spoken(a.score)}" for n, a in systems.items()),
    )


def differences(summary: Summary, measure: str, size: Size = WIDE) -> str:
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
            places[size.named(contrast_label(contrast.a, contrast.b))] = y
            colour = ARM.get(contrast.a, MUTED) if contrast.planned else MUTED
            whisker(axes, contrast.difference, y, colour=colour)
            name = contrast.a if contrast.planned else ""
            dot(axes, contrast.difference.value, y, name=name)
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
        f"differences-{size.name}",
        draw,
        rows=len(contrasts) + gap,
        sides=(size.left, size.right),
        inches=size.inches,
        row_inches=size.row_inches,
        alt="Paired differences with 95 % intervals: "
        + "; ".join(
            f"{contrast_label(c.a, c.b)} {spoken(c.difference)}" for c in contrasts
        ),
    )


def dot(
    axes: Axes, x: float, y: float, *, name: str, size: float = 8, hollow: bool = False
) -> None:
    """A marker: full in the arm's colour, or hollow for what is not an arm."""
    colour = ARM.get(name, MUTED)
    axes.plot(
        [x],
        [y],
        MARKERS.get(name, "o"),
        color=colour,
        markersize=size,
        markerfacecolor=PAPER if hollow or name not in ARM else colour,
        markeredgewidth=1.8 if hollow or name not in ARM else 1.2,
        markeredgecolor=colour if hollow or name not in ARM else PAPER,
        clip_on=False,
        zorder=5,
    )
