"""The picture of `calibrate`: risk against coverage, and whether confidence holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundtune.measure.selective import risk_coverage
from groundtune.recipes.pictures import ACCENT, INK, MUTED, picture

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Floats = npt.NDArray[np.float64]

_BINS = 8


def draw_risk(
    confidence_N: Floats, scores_N: Floats, *, threshold: float, where: str
) -> str:
    """An SVG that stands by itself.

    Args:
        confidence_N: Of each case.
        scores_N: Of the answer to it.
        threshold: From which confidence on answers are given.
        where: Which cases these are.
    """

    def draw(canvas: Figure) -> None:
        left, right = canvas.subplots(1, 2)
        _risk(left, confidence_N, scores_N, threshold=threshold)
        _reliability(right, confidence_N, scores_N)
        canvas.suptitle(f"{len(scores_N)} {where}", fontsize=11, color=MUTED)

    return picture(draw, inches=(9.2, 4.2))


def _risk(
    axes: Axes, confidence_N: Floats, scores_N: Floats, *, threshold: float
) -> None:
    curve = risk_coverage(confidence_N, scores_N)
    always = float(curve.risk_K[-1])
    axes.grid()
    axes.plot(curve.coverage_K, curve.risk_K, color=ACCENT, linewidth=1.6)
    axes.axhline(always, color=MUTED, linewidth=1, linestyle="--")
    axes.annotate(
        "never abstaining",
        (0.02, always),
        xytext=(0, 4),
        textcoords="offset points",
        color=MUTED,
    )
    answered = int((confidence_N >= threshold).sum())
    if answered:
        at = (curve.coverage_K[answered - 1], curve.risk_K[answered - 1])
        axes.plot(*at, "o", color=INK, markersize=7)
        axes.annotate(
            f"threshold {threshold:.2f}",
            at,
            xytext=(6, -14),
            textcoords="offset points",
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(0.05, float(curve.risk_K.max()) * 1.15))
    axes.set_xlabel("coverage: share of the questions that are answered")
    axes.set_ylabel("risk: 1 - token F1 of the answers")


def _reliability(axes: Axes, confidence_N: Floats, scores_N: Floats) -> None:
    order = np.argsort(confidence_N, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    axes.grid()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
    axes.plot(
        [float(confidence_N[part].mean()) for part in parts],
        [float(scores_N[part].mean()) for part in parts],
        "o-",
        color=ACCENT,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("token F1 of those answers")
