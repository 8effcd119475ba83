"""What changes with more data, and what becomes of facts that were edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.measure.rows import Figure
from groundtune.recipes.report_page.drawing import (
    ARM,
    BAND,
    INK,
    MUTED,
    WIDE,
    name_rows,
    page_svg,
    spoken,
    whisker,
)
from groundtune.recipes.report_page.plots import dot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from groundtune.recipes.report_page.drawing import Size

REACH = 10
"""A forecast beyond so many times the data is refused."""


def learning_curve(curve: Mapping[str, Any], measure: str, size: Size = WIDE) -> str:
    """Quality by training cases, its forecast, the target, and where none is given.

    Empty without points.
    """
    points, forecast = curve["points"], curve.get("forecast") or {}
    if not points:
        return ""
    arm = str(curve.get("arm") or "tuned")
    target, colour = curve.get("target"), ARM.get(arm, MUTED)
    most = max(float(point["cases"]) for point in points)
    line = [list(map(float, row)) for row in forecast.get("curve") or []]

    def draw(axes: Axes) -> None:
        axes.set_xscale("log")
        axes.grid(axis="y")
        if line:
            cases, value, low, high = zip(*line, strict=True)
            axes.fill_between(cases, low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(cases, value, color=colour, linewidth=1.6)
        for point in points:
            x = float(point["cases"])
            axes.plot([x, x], [point["low"], point["high"]], color=colour, linewidth=1)
            dot(axes, x, float(point["value"]), name=arm, size=7)
        if target is not None:
            axes.axhline(target, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(
                str(curve.get("target_arm") or "target"),
                (1.0, target),
                xycoords=axes.get_yaxis_transform(),
                xytext=(-4, 4),
                textcoords="offset points",
                ha="right",
                color=INK,
            )
        left = 0.8 * min(float(point["cases"]) for point in points)
        right = 16 * most
        axes.axvspan(REACH * most, right, color=BAND, linewidth=0)
        axes.set_xlim(left, right)
        tops = [float(point["high"]) for point in points]
        tops += [row[2] for row in line] + ([] if target is None else [float(target)])
        axes.set_ylim(0, min(1.02, 1.15 * max(*tops, 0.1)))
        _ticks(axes, sorted({float(point["cases"]) for point in points}), most, size)
        axes.set_xlabel("training cases; shaded: too far to say")
        axes.set_ylabel(measure)

    return page_svg(
        f"learning-{size.name}",
        draw,
        rows=8,
        sides=(0.66 / size.inches, 0.97),
        inches=size.inches,
        alt=f"{measure} of {arm} by training cases: "
        + "; ".join(
            f"{point['cases']:,} cases, seed {point['seed']}: {point['value']:.3f}"
            for point in points
        ),
    )


def _ticks(axes: Axes, sizes: list[float], most: float, size: Size) -> None:
    """The sizes that were trained, as far as they fit, and the end of the forecast."""
    from matplotlib.ticker import NullFormatter, NullLocator

    wanted = [sizes[0], most] if size.inches < WIDE.inches else sizes
    wanted = [*wanted, REACH * most]
    axes.set_xticks(wanted, [f"{each:,.0f}" for each in wanted])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", labelcolor=MUTED, length=0)


def freshness(figures: Mapping[str, Any], size: Size = WIDE) -> str:
    """Shares of right answers before and after facts were edited; empty without any."""
    rows: list[tuple[str, str, Figure, bool]] = []
    for name, each in figures["systems"].items():
        for key, words, is_hollow in (
            ("untouched_before", "left alone, before", True),
            ("untouched_after", "left alone, after", False),
            ("update_success", "edited: the new value", False),
            ("update_success_read", "edited and read: the new value", False),
            ("stale_rate", "edited: the old value", True),
        ):
            raw = each.get(key)
            if raw and raw["n"]:
                found = Figure(**{k: raw[k] for k in ("value", "low", "high", "n")})
                rows.append((name, words, found, is_hollow))
    if not rows:
        return ""
    names = list(dict.fromkeys(name for name, *_ in rows))

    def draw(axes: Axes) -> None:
        places: dict[str, float] = {}
        for number, (name, words, figure, is_hollow) in enumerate(rows):
            y = -number - 0.5 * names.index(name)
            places[size.named(f"{name} · {words}")] = y
            whisker(axes, figure, y, colour=ARM.get(name, MUTED))
            dot(axes, figure.value, y, name=name, hollow=is_hollow)
            axes.annotate(
                f"{figure.value:.0%}",
                (1.02, y),
                xycoords=axes.get_yaxis_transform(),
                va="center_baseline",
                color=INK,
            )
        axes.set_xlim(-0.012, 1.0)
        axes.set_xlabel("share of answers, with 95 % interval")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.locator_params(axis="x", nbins=4)
        name_rows(axes, places)

    return page_svg(
        f"freshness-{size.name}",
        draw,
        rows=len(rows) + 0.5 * len(names),
        sides=(size.left, size.right),
        inches=size.inches,
        row_inches=size.row_inches,
        alt="After facts were edited: "
        + "; ".join(f"{name} {words} {spoken(f)}" for name, words, f, _ in rows),
    )
