"""The picture of `optimize`: quality against latency, every setting a dot.

Drawn without a display and without chance: the same figures give the same file.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.typing import RcKeyType

    from groundtune.recipes.optimization.measured import Measured

_INK, _MUTED, _RULE, _ACCENT = "#1c1c1c", "#6b6b6b", "#d5d5d5", "#0b62a4"
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "groundtune",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "grid.color": _RULE,
}
_MARKERS = ("s", "^", "v", "D")


def front(measured: Sequence[Measured]) -> list[Measured]:
    """Those that nothing beats in both quality and latency, the fastest first."""
    best: list[Measured] = []
    for one in sorted(measured, key=lambda one: (one.search_ms, -one.quality)):
        if not best or one.quality > best[-1].quality:
            best.append(one)
    return best


def draw_front(
    measured: Sequence[Measured],
    *,
    named: Mapping[str, Measured],
    chosen: Measured,
    embed_ms: float,
    measure: str,
) -> str:
    """An SVG that stands by itself.

    Args:
        measured: Every setting that was tried.
        named: Those that are called by name, such as `bm25`.
        chosen: The one that was chosen.
        embed_ms: Time to embed a query, which all but BM25 alone need.
        measure: Name of the quality.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    def at(one: Measured) -> tuple[float, float]:
        extra = 0.0 if one.settings.mode == "bm25" else embed_ms
        return one.search_ms + extra, one.quality

    with rc_context(_STYLE):
        canvas = Figure(figsize=(7.6, 4.6), facecolor="white")
        FigureCanvasSVG(canvas)
        axes = canvas.add_axes((0.1, 0.13, 0.86, 0.8))
        axes.grid(linewidth=0.8)
        axes.scatter(
            *zip(*map(at, measured), strict=True), s=22, color=_MUTED, alpha=0.5
        )
        line = [at(one) for one in front([*measured, *named.values()])]
        axes.step(*zip(*line, strict=True), where="post", color=_ACCENT, linewidth=1.4)
        for marker, (name, one) in zip(_MARKERS, named.items(), strict=False):
            axes.plot(*at(one), marker, color=_INK, markersize=7, label=name)
        axes.plot(*at(chosen), "*", color=_ACCENT, markersize=15, label="chosen")
        axes.set_xlabel("milliseconds a query, median")
        axes.set_ylabel(f"{measure} on dev queries")
        axes.legend(frameon=False, loc="lower right")
        stream = io.StringIO()
        canvas.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
