"""The plots of a tuned model's page; how they become SVG is in `report_page.drawing`.

Points of the history are mappings. `epoch` or `step` places a point; `train_loss`,
`dev_loss` and `dev_score` are drawn where they occur, all else is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.measure.statistics import wilson
from groundtune.recipes.report_page.drawing import (
    ARM,
    INK,
    MUTED,
    PAPER,
    name_rows,
    page_svg,
    spoken,
    whisker,
)
from groundtune.recipes.tuning_page.tuned import measure_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from groundtune.measure.calibration import Bin
    from groundtune.recipes.tuning_page.tuned import Calibration, TunedModel

_FEW = 12
"""Up to so many labels keep their order and full size; more are sorted, worst first."""

_LONGEST_NAME = 34
_WIDE = (0.09, 0.97)


def scores(model: TunedModel) -> str:
    """The model's score above those of the baselines, each with its interval."""
    rows = {"tuned": model.score, **model.baselines}
    places = {name: -float(i) for i, name in enumerate(rows)}

    def draw(axes: Axes) -> None:
        limit = min(model.limit, 1.04 * max(figure.high for figure in rows.values()))
        for name, figure in rows.items():
            colour = ARM["tuned"] if name == "tuned" else MUTED
            whisker(axes, figure, places[name], colour=colour)
            _dot(axes, figure.value, places[name], colour=colour, full=name == "tuned")
            axes.annotate(
                model.shown(figure.value),
                (1.02, places[name]),
                xycoords=axes.get_yaxis_transform(),
                va="center_baseline",
                color=INK if name == "tuned" else MUTED,
            )
        axes.set_xlim(-0.012 * limit, limit)
        axes.set_xlabel(f"{measure_name(model.measure)}, with 95 % interval")
        name_rows(axes, places)

    return page_svg(
        "scores",
        draw,
        rows=len(rows),
        alt=f"{measure_name(model.measure)} of the tuned model and of the baselines: "
        + "; ".join(f"{name} {spoken(figure)}" for name, figure in rows.items()),
    )


def losses(history: Sequence[Mapping[str, float]]) -> str:
    """Loss in training and on dev cases; empty where none was kept."""
    lines = {
        name: _points(history, key)
        for name, key in (("training", "train_loss"), ("dev", "dev_loss"))
    }
    return _curves("losses", lines, history, ylabel="loss", low=0.0)


def progress(history: Sequence[Mapping[str, float]], *, measure: str) -> str:
    """The score on dev cases through training; empty where none was kept."""
    lines = {"dev": _points(history, "dev_score")}
    return _curves(
        "progress", lines, history, ylabel=f"{measure_name(measure)} on dev cases"
    )


def _points(
    history: Sequence[Mapping[str, float]], key: str
) -> list[tuple[float, float]]:
    return [(_place(point, i), point[key]) for i, point in _with(history, key)]


def _with(
    history: Sequence[Mapping[str, float]], key: str
) -> list[tuple[int, Mapping[str, float]]]:
    return [(i, point) for i, point in enumerate(history, start=1) if key in point]


def _place(point: Mapping[str, float], number: int) -> float:
    return point.get("epoch", point.get("step", float(number)))


def _curves(
    name: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    history: Sequence[Mapping[str, float]],
    *,
    ylabel: str,
    low: float | None = None,
) -> str:
    shown = {line: points for line, points in lines.items() if points}
    if not shown:
        return ""
    unit = "epoch" if "epoch" in history[0] else "step"
    colours = {"training": MUTED, "dev": ARM["tuned"]}

    def draw(axes: Axes) -> None:
        axes.grid(axis="y")
        for line, points in shown.items():
            x, y = zip(*points, strict=True)
            mark = "o" if len(points) <= 30 else ""
            axes.plot(x, y, marker=mark, color=colours[line], lw=1.8, ms=5)
            axes.annotate(
                line,
                points[-1],
                xytext=(8, 0),
                textcoords="offset points",
                va="center_baseline",
                color=colours[line],
                annotation_clip=False,
            )
        if low is not None:
            axes.set_ylim(bottom=low)
        axes.set_xlabel(unit)
        axes.set_ylabel(ylabel)
        axes.tick_params(axis="y", labelcolor=MUTED, length=0)

    return page_svg(
        name,
        draw,
        rows=7,
        sides=(0.15, 0.82),
        inches=4.8,
        alt=f"{ylabel} by {unit}: "
        + "; ".join(
            f"{line} from {points[0][1]:.3g} to {points[-1][1]:.3g}"
            for line, points in shown.items()
        ),
    )


def by_label(model: TunedModel) -> str:
    """F1 of each label or type with its interval; empty where there are none.

    Many labels are drawn small, the worst first.
    """
    figures = dict(model.per_label)
    if not figures:
        return ""
    many = len(figures) > _FEW
    names = list(figures)
    if many:
        names.sort(key=lambda name: figures[name].f1.value)
    places = {name: -float(i) for i, name in enumerate(names)}

    def draw(axes: Axes) -> None:
        for name in names:
            each, y = figures[name], places[name]
            whisker(axes, each.f1, y, colour=ARM["tuned"])
            _dot(axes, each.f1.value, y, colour=ARM["tuned"], size=5 if many else 8)
            axes.annotate(
                f"{each.f1.value:.2f}   n {each.support:,}",
                (1.02, y),
                xycoords=axes.get_yaxis_transform(),
                va="center_baseline",
                color=INK,
                fontsize=8 if many else 10,
            )
        axes.set_xlim(-0.012, 1.0)
        axes.set_xlabel("F1, with 95 % interval")
        name_rows(axes, {_cut(name): y for name, y in places.items()})
        if many:
            axes.tick_params(axis="y", labelsize=8)

    return page_svg(
        "by-label",
        draw,
        rows=len(names),
        row_inches=0.2 if many else 0.36,
        alt="F1 by label: "
        + "; ".join(f"{name} {figures[name].f1.value:.2f}" for name in names),
    )


def _cut(name: str) -> str:
    """A name that fits beside its row. Names stay apart: the end is kept as well."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2
    return f"{name[: half - 1]}…{name[-half:]}"


def reliability(calibration: Calibration) -> str:
    """What confidence promised and what it kept, before and after scaling."""
    scaled = calibration.temperature != 1.0

    def draw(axes: Axes) -> None:
        axes.grid()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2)
        if scaled:
            _reliable(axes, calibration.bins_before, colour=MUTED, full=False)
        _reliable(axes, calibration.bins_after, colour=ARM["tuned"], full=True)
        least = min(
            each.confidence
            for each in (*calibration.bins_before, *calibration.bins_after)
        )
        axes.set_xlim(max(0.0, least - 0.05), 1.01)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("confidence: probability of the label that was given")
        axes.set_ylabel("share that is right")
        axes.tick_params(axis="y", labelcolor=MUTED, length=0)

    before, after = calibration.before.error, calibration.after.error
    return page_svg(
        "reliability",
        draw,
        rows=9,
        sides=_WIDE,
        alt="Share that is right by confidence; calibration error "
        f"{before:.3f} before scaling and {after:.3f} after",
    )


def _reliable(axes: Axes, bins: Sequence[Bin], *, colour: str, full: bool) -> None:
    axes.plot(
        [each.confidence for each in bins],
        [each.accuracy for each in bins],
        color=colour,
        linewidth=1,
        linestyle="-" if full else "--",
    )
    for each in bins:
        if full:
            limits = wilson(each.accuracy * each.size, each.size)
            axes.plot(
                [each.confidence] * 2,
                [limits.low, limits.high],
                color=colour,
                linewidth=2,
                solid_capstyle="round",
            )
        _dot(axes, each.confidence, each.accuracy, colour=colour, full=full, size=6)


def _dot(
    axes: Axes, x: float, y: float, *, colour: str, full: bool = True, size: float = 8
) -> None:
    axes.plot(
        [x],
        [y],
        "o",
        markersize=size,
        markerfacecolor=colour if full else PAPER,
        markeredgewidth=1.2 if full else 1.8,
        markeredgecolor=PAPER if full else colour,
        clip_on=False,
        zorder=5,
    )
