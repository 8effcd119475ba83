"""Drawing for pages: what every plot of a report shares, as inline SVG.

Drawn without a display and without chance: the same figures give the same bytes.
Colours are written as placeholders and turned into CSS variables, so that light, dark
and print each get their own, and text stays text in the page's own typeface. What is
drawn belongs to `plots`, here and beside other pages.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from groundtune.core.values import ARMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

    from groundtune.measure.rows import Figure

# Placeholders: colours that nothing else uses, replaced in `_inline`.
INK, MUTED, RULE, BAND, PAPER = (f"#0101{i:02x}" for i in range(1, 6))
ARM = {arm: f"#0202{i:02x}" for i, arm in enumerate(ARMS, start=1)}
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    BAND: "var(--band)",
    PAPER: "var(--paper)",
    **{colour: f"var(--{arm})" for arm, colour in ARM.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How wide a plot is drawn, and where its axes begin and end, as shares of that."""

    name: str
    inches: float
    left: float
    right: float
    letters: int
    """Longest name of a row on one line."""
    row_inches: float

    def named(self, text: str) -> str:
        """The name of a row on at most two lines; of a long one, its end."""
        most = 2 * self.letters - 4
        shown = text if len(text) <= most else f"…{text[-most:]}"
        return "\n".join(wrap(shown, self.letters)[:2]) or text


WIDE = Size(name="wide", inches=7.6, left=0.32, right=0.85, letters=36, row_inches=0.36)
"""For laptops and paper."""
NARROW = Size(
    name="narrow", inches=4.5, left=0.36, right=0.83, letters=19, row_inches=0.47
)
"""For phones: letters stay as large as those of the text."""

ROW_INCHES = 0.36
"""Height of a row of text in a plot."""
PAGE_INCHES = 7.6
"""Width of a plot that takes the width of the page."""

_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "groundtune",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 1,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 1,
}


def whisker(axes: Axes, figure: Figure, y: float, *, colour: str) -> None:
    """The interval of a figure, as a line at height `y`."""
    axes.plot(
        [figure.low, figure.high],
        [y, y],
        color=colour,
        linewidth=2.2,
        solid_capstyle="round",
    )


def name_rows(axes: Axes, places: Mapping[str, float]) -> None:
    """Name the heights at which things stand, in place of numbers."""
    axes.set_yticks(list(places.values()), [plain(name) for name in places])
    axes.tick_params(axis="y", length=0, pad=8)
    axes.set_ylim(min(places.values()) - 0.6, max(places.values()) + 0.5)
    axes.grid(axis="x")


def plain(text: str) -> str:
    """A person's text as it is: matplotlib would read what stands between dollars."""
    return text.replace("$", r"\$")


def spoken(figure: Figure) -> str:
    """A figure as a description of a plot says it."""
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def page_svg(
    name: str,
    draw: Callable[[Axes], None],
    *,
    rows: float,
    alt: str,
    sides: tuple[float, float] = (0.32, 0.85),
    row_inches: float = ROW_INCHES,
    inches: float = PAGE_INCHES,
) -> str:
    """Draw on fresh axes and make the SVG fit to stand inside the page.

    Args:
        name: Sets the ids inside apart from those of other plots on the page.
        draw: Draws on the axes that it is given.
        rows: Height, in rows of text.
        alt: What the plot shows, for those who do not see it.
        sides: Where the axes begin and end, as shares of the width.
        row_inches: Height of one row.
        inches: Width; letters are the larger on the page, the less wide a plot is.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    height = rows * row_inches + 0.75
    left, right = sides
    with rc_context(_STYLE), warnings.catch_warnings():
        # Names in other scripts are drawn by the reader's browser, not from here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = Canvas(figsize=(inches, height))
        FigureCanvasSVG(canvas)
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
