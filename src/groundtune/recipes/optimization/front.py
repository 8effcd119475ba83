"""The picture of `optimize`: quality against latency, every setting a dot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.recipes.pictures import ACCENT, INK, MUTED, picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from groundtune.recipes.optimization.measured import Measured

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

    def at(one: Measured) -> tuple[float, float]:
        extra = 0.0 if one.settings.mode == "bm25" else embed_ms
        return one.search_ms + extra, one.quality

    def draw(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.grid()
        axes.scatter(
            *zip(*map(at, measured), strict=True), s=22, color=MUTED, alpha=0.5
        )
        line = [at(one) for one in front([*measured, *named.values()])]
        axes.step(*zip(*line, strict=True), where="post", color=ACCENT, linewidth=1.4)
        for marker, (name, one) in zip(_MARKERS, named.items(), strict=False):
            axes.plot(*at(one), marker, color=INK, markersize=7, label=name)
        axes.plot(*at(chosen), "*", color=ACCENT, markersize=15, label="chosen")
        axes.set_xlabel("milliseconds a query, median")
        axes.set_ylabel(f"{measure} on dev queries")
        axes.legend(frameon=False, loc="lower right")

    return picture(draw, inches=(7.6, 4.6))
