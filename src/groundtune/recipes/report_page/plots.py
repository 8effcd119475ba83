"""The plots of the report page, as inline SVG that follows the page's colours.

Drawn without a display and without chance: the same summary gives the same bytes.
Colours are written as placeholders and turned into CSS variables, so that light, dark
and print each get their own, and text stays text in the page's own typeface.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

from groundtune.core.values import ARMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

    from groundtune.measure.comparison import Summary
    from groundtune.measure.rows import Figure

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

# Placeholders: colours that nothing else uses, replaced in `_page_svg`.
_INK, _MUTED, _RULE, _BAND, _PAPER = (f"#0101{i:02x}" for i in range(1, 6))
_ARM = {arm: f"#0202{i:02x}" for i, arm in enumerate(ARMS, start=1)}
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _RULE: "var(--rule)",
    _BAND: "var(--band)",
    _PAPER: "var(--paper)",
    **{colour: f"var(--{arm})" for arm, colour in _ARM.items()},
}
_SAME_PREFIX = ("right_passage_tuned", "right_passage_base")

_MARKERS = {"plain": "o", "rag": "s", "tuned": "^", "both": "D"}
_ROW_INCHES = 0.36
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "groundtune",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "axes.linewidth": 1,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": _RULE,
    "grid.linewidth": 1,
}


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
            colour = _ARM.get(name, _MUTED)
            _whisker(axes, arm.score, places[name], colour=colour)
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
                color=_INK if name in summary.arms else _MUTED,
            )
        axes.set_xlim(-0.012 * limit, limit)
        axes.set_xlabel(f"{measure}, with 95 % interval")
        _name_rows(axes, {label(name): y for name, y in places.items()})

    return _page_svg(
        "quality",
        draw,
        rows=len(systems) + gap,
        alt=f"{measure} of each system with its 95 % interval: "
        + "; ".join(f"{label(n)} {_spoken(a.score)}" for n, a in systems.items()),
    )


def differences(summary: Summary, measure: str) -> str:
    """Paired differences with the zero line and the margin; empty without any."""
    contrasts = (*summary.contrasts, *summary.exploratory)
    if not contrasts:
        return ""
    gap = 0.5 if summary.contrasts and summary.exploratory else 0.0
    margin = summary.settings.margin

    def draw(axes: Axes) -> None:
        axes.axvspan(-margin, margin, color=_BAND, linewidth=0)
        axes.axvline(0, color=_MUTED, linewidth=1.2)
        places: dict[str, float] = {}
        for i, contrast in enumerate(contrasts):
            y = -(i + (0.0 if contrast.planned else gap))
            places[contrast_label(contrast.a, contrast.b)] = y
            colour = _ARM.get(contrast.a, _MUTED) if contrast.planned else _MUTED
            _whisker(axes, contrast.difference, y, colour=colour)
            name = contrast.a if contrast.planned else ""
            _dot(axes, contrast.difference.value, y, name=name)
            axes.annotate(
                f"{contrast.difference.value:+.3f}",
                (1.02, y),
                xycoords=axes.get_yaxis_transform(),
                va="center_baseline",
                color=_INK if contrast.planned else _MUTED,
            )
        axes.set_xlabel(f"difference in {measure}, with 95 % interval")
        _name_rows(axes, places)

    return _page_svg(
        "differences",
        draw,
        rows=len(contrasts) + gap,
        alt="Paired differences with 95 % intervals: "
        + "; ".join(
            f"{contrast_label(c.a, c.b)} {_spoken(c.difference)}" for c in contrasts
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
            colour = _ARM[name]
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
        axes.tick_params(axis="y", labelcolor=_MUTED, length=0)

    return _page_svg(
        "latency",
        draw,
        rows=8,
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
                _whisker(axes, figure, y, colour=_ARM[name])
                _dot(axes, figure.value, y, name=name, hollow=kind == "missed")
                axes.annotate(
                    f"{figure.value:.3f} {kind}",
                    (1.02, y),
                    xycoords=axes.get_yaxis_transform(),
                    va="center_baseline",
                    fontsize=9.5,
                    color=_INK if kind == "found" else _MUTED,
                )
        limit = min(1.0, max(0.1, limit * 1.04))
        axes.set_xlim(-0.012 * limit, limit)
        axes.set_xlabel(f"{measure}, with 95 % interval")
        _name_rows(axes, places)

    return _page_svg(
        "by-hit",
        draw,
        rows=1.4 * len(split),
        alt="Quality by whether retrieval found the right passage: "
        + "; ".join(
            f"{name} {kind} {_spoken(figure)}"
            for name, arm in split.items()
            for kind, figure in arm.by_hit.items()
        ),
    )


def _whisker(axes: Axes, figure: Figure, y: float, *, colour: str) -> None:
    axes.plot(
        [figure.low, figure.high],
        [y, y],
        color=colour,
        linewidth=2.2,
        solid_capstyle="round",
    )


def _dot(
    axes: Axes, x: float, y: float, *, name: str, size: float = 8, hollow: bool = False
) -> None:
    """A marker: full in the arm's colour, or hollow for what is not an arm."""
    colour = _ARM.get(name, _MUTED)
    axes.plot(
        [x],
        [y],
        _MARKERS.get(name, "o"),
        color=colour,
        markersize=size,
        markerfacecolor=_PAPER if hollow or name not in _ARM else colour,
        markeredgewidth=1.8 if hollow or name not in _ARM else 1.2,
        markeredgecolor=colour if hollow or name not in _ARM else _PAPER,
        clip_on=False,
        zorder=5,
    )


def _name_rows(axes: Axes, places: Mapping[str, float]) -> None:
    axes.set_yticks(list(places.values()), list(places))
    axes.tick_params(axis="y", length=0, pad=8)
    axes.set_ylim(min(places.values()) - 0.6, max(places.values()) + 0.5)
    axes.grid(axis="x")


def _spoken(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _page_svg(name: str, draw: Callable[[Axes], None], *, rows: float, alt: str) -> str:
    """Draw on fresh axes and make the SVG fit to stand inside the page."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    height = rows * _ROW_INCHES + 0.75
    with rc_context(_STYLE):
        canvas = Canvas(figsize=(7.6, height))
        FigureCanvasSVG(canvas)
        left = 0.09 if name == "latency" else 0.32
        right = 0.97 if name == "latency" else 0.85
        axes = canvas.add_axes(
            (left, 0.58 / height, right - left, 1 - 0.66 / height), facecolor="none"
        )
        draw(axes)
        stream = io.StringIO()
        canvas.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return _inline(stream.getvalue(), name=name, alt=alt)


def _inline(svg: str, *, name: str, alt: str) -> str:
    """Strip what only a file needs, and keep ids apart from other plots' ids."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s+xmlns(:\w+)?=\"[^\"]*\"", "", svg).replace("xlink:href", "href")
    svg = re.sub(r"(<svg[^>]*?) width=\"[^\"]*\"", r"\1", svg, count=1)
    svg = re.sub(r"(<svg[^>]*?) height=\"[^\"]*\"", r"\1", svg, count=1)
    svg = re.sub(r"\bid=\"([^\"]+)\"", rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r"href=\"#([^\"]+)\"", rf'href="#{name}-\1"', svg)
    # `font:` carries matplotlib's typeface; size and weight are all that we keep.
    svg = re.sub(
        r"font: (?:(bold|700) )?([\d.]+)px [^;\"]+",
        lambda m: f"font-size: {m[2]}px" + ("; font-weight: 600" if m[1] else ""),
        svg,
    )
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    shown = escape(alt, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{shown}"', 1).strip()
