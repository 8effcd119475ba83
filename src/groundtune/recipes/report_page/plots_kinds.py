"""Quality by kind of case: retrieval hit, question, label, length, document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.recipes.report_page.drawing import (
    ARM,
    INK,
    MUTED,
    PAPER,
    WIDE,
    name_rows,
    page_svg,
    plain,
    spoken,
    whisker,
)
from groundtune.recipes.report_page.plots import MARKERS, dot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from groundtune.measure.comparison import Summary
    from groundtune.measure.kinds import Breakdown
    from groundtune.recipes.report_page.drawing import Size

_STEP = 0.26
"""Rows between the arms of one kind."""


def by_hit(summary: Summary, measure: str, size: Size = WIDE) -> str:
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
                dot(axes, figure.value, y, name=name, hollow=kind == "missed")
                axes.annotate(
                    f"{figure.value:.3f} {kind}",
                    (1.02, y),
                    xycoords=axes.get_yaxis_transform(),
                    va="center_baseline",
                    fontsize=9.5,
                    color=INK if kind == "found" else MUTED,
                )
        _end(axes, limit, measure)
        name_rows(axes, places)

    return page_svg(
        f"by-hit-{size.name}",
        draw,
        rows=1.4 * len(split),
        sides=(0.6 * size.left, 1 - 1.25 / size.inches),
        inches=size.inches,
        alt="Quality by whether retrieval found the right passage: "
        + "; ".join(
            f"{name} {kind} {spoken(figure)}"
            for name, arm in split.items()
            for kind, figure in arm.by_hit.items()
        ),
    )


def by_kind(found: Breakdown, measure: str, size: Size = WIDE) -> str:
    """Quality of every arm, kind by kind, the largest first."""
    arms = list(dict.fromkeys(name for each in found.figures.values() for name in each))
    height = _STEP * len(arms) + 0.3

    def draw(axes: Axes) -> None:
        places = {kind: -height * i for i, kind in enumerate(found.sizes)}
        limit = max(f.high for each in found.figures.values() for f in each.values())
        for number, name in enumerate(arms):
            shift = _STEP * ((len(arms) - 1) / 2 - number)
            _column(axes, found, name, {k: y + shift for k, y in places.items()})
        for kind in found.figures:
            axes.annotate(
                f"n = {found.sizes[kind]:,}",
                (1.02, places[kind]),
                xycoords=axes.get_yaxis_transform(),
                va="center_baseline",
                color=MUTED,
            )
        _end(axes, limit, measure)
        # Not by `name_rows`: two long names may look alike once they are cut.
        names = [plain(size.named(kind)) for kind in places]
        axes.set_yticks(list(places.values()), names)
        axes.tick_params(axis="y", length=0, pad=8)
        axes.grid(axis="x")
        axes.set_ylim(-height * (len(places) - 0.5), height / 2)

    return page_svg(
        f"by-{found.by}-{size.name}",
        draw,
        rows=height * len(found.sizes),
        sides=(size.left, size.right),
        inches=size.inches,
        alt=f"Quality by {found.by}: "
        + "; ".join(
            f"{kind}: "
            + ", ".join(f"{name} {figure.value:.3f}" for name, figure in each.items())
            for kind, each in found.figures.items()
        ),
    )


def _column(
    axes: Axes, found: Breakdown, name: str, places: Mapping[str, float]
) -> None:
    """One arm in every kind, drawn at once: a line a mark takes long to draw."""
    figures = {kind: each[name] for kind, each in found.figures.items() if name in each}
    heights = [places[kind] for kind in figures]
    axes.hlines(
        heights,
        [figure.low for figure in figures.values()],
        [figure.high for figure in figures.values()],
        color=ARM[name],
        linewidth=2.2,
        capstyle="round",
    )
    axes.plot(
        [figure.value for figure in figures.values()],
        heights,
        MARKERS[name],
        color=ARM[name],
        markersize=6,
        markeredgewidth=1.2,
        markeredgecolor=PAPER,
        clip_on=False,
        zorder=5,
    )


def _end(axes: Axes, top: float, measure: str) -> None:
    limit = min(1.0, max(0.1, top * 1.04))
    axes.set_xlim(-0.012 * limit, limit)
    axes.set_xlabel(f"{measure}, with 95 % interval")
    axes.locator_params(axis="x", nbins=5)
