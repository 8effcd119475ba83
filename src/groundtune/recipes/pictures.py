"""Pictures that stand by themselves: SVG on white, for a file beside a record.

Drawn without a display and without chance: the same figures give the same file. What
stands inside a page is drawn by `report_page.drawing`, in the colours of the page.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

INK, MUTED, RULE, ACCENT = "#1c1c1c", "#6b6b6b", "#d5d5d5", "#0b62a4"
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "groundtune",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
}


def picture(draw: Callable[[Figure], None], *, inches: tuple[float, float]) -> str:
    """What `draw` puts on an empty figure, as an SVG.

    Args:
        draw: Adds axes to the figure and draws on them.
        inches: Width and height.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        canvas = Figure(figsize=inches, facecolor="white", layout="constrained")
        FigureCanvasSVG(canvas)
        draw(canvas)
        stream = io.StringIO()
        canvas.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
