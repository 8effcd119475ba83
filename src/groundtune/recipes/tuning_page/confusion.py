"""A confusion matrix as SVG, from two labels to hundreds.

Written by hand and not by matplotlib: each cell says what it is when pointed at, an
empty cell costs nothing, and with few labels the counts stand in the cells.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.measure.labels import LabelReport

_ROOMY = 12
"""Up to so many labels, cells hold their counts."""

_LONGEST_NAME = 32
_MIDDLE = 0.35
"""Where in its line a letter has its middle, in letter heights."""


def matrix(report: LabelReport) -> str:
    """Gold labels as rows, predicted ones as columns; shading is by share of the row.

    Empty with a single label.
    """
    count = len(report.labels)
    if count < 2:
        return ""
    roomy = count <= _ROOMY
    cell, size = (52, 13.0) if roomy else (11, 9.0)
    names = [_cut(name) for name in report.labels]
    # Letters are up to 0.66 of their height wide; columns are named at an angle, or
    # straight upwards where there is no room for that.
    longest = 0.66 * size * max(4, *(len(name) for name in names)) + 6
    angle, rise, lean = (60, 0.87, 0.5) if roomy else (90, 1.0, 0.0)
    left, top = longest + 8, rise * longest + 8
    width, height = left + count * cell + lean * longest + 6, top + count * cell + 6
    parts = [
        f'<svg role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{width:.0f}px" font-size="{size:g}" '
        f'aria-label="{escape(_spoken(report), quote=True)}">',
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{count * cell}" '
        f'height="{count * cell}" fill="var(--surface)"/>',
        *_grid(left, top, cell, count),
    ]
    for i, name in enumerate(names):
        shown = escape(name)
        y = top + (i + 0.5) * cell + _MIDDLE * size
        x = left + (i + 0.5) * cell
        parts += [
            f'<text x="{left - 7:.1f}" y="{y:.1f}" text-anchor="end" '
            f'fill="var(--ink)">{shown}</text>',
            f'<text transform="translate({x + _MIDDLE * size:.1f} {top - 6:.1f}) '
            f'rotate(-{angle})" fill="var(--ink)">{shown}</text>',
        ]
    parts += _cells(report, left=left, top=top, cell=cell, numbered=roomy)
    return "\n".join([*parts, "</svg>"])


def _grid(left: float, top: float, cell: int, count: int) -> Iterator[str]:
    """Lines between labels; with many, only every fifth, to lead the eye."""
    for i in range(0, count + 1, 1 if count <= _ROOMY else 5):
        at, far = i * cell, count * cell
        yield (
            f'<path d="M{left + at:.1f} {top:.1f}v{far}'
            f'M{left:.1f} {top + at:.1f}h{far}" stroke="var(--rule)" fill="none"/>'
        )


def _cells(
    report: LabelReport, *, left: float, top: float, cell: int, numbered: bool
) -> Iterator[str]:
    support = report.confusion_L_L.sum(axis=1).tolist()
    for row, counts in enumerate(report.confusion_L_L.tolist()):
        for column, count in enumerate(counts):
            if not count:
                continue
            share = count / support[row]
            # The root brings out rare mistakes, which are what is looked for here.
            shade = 0.12 + 0.88 * share**0.5
            colour = "var(--rag)" if row == column else "var(--tuned)"
            x, y = left + column * cell, top + row * cell
            told = f"{report.labels[row]} → {report.labels[column]}: {count:,} of "
            yield (
                f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{cell - 1}" '
                f'height="{cell - 1}" fill="{colour}" fill-opacity="{shade:.2f}">'
                f"<title>{escape(told)}{support[row]:,} ({share:.0%})</title></rect>"
            )
            if numbered:
                ink = "var(--paper)" if shade > 0.62 else "var(--ink)"
                yield (
                    f'<text x="{x + cell / 2:.1f}" y="{y + cell / 2 + 4.5:.1f}" '
                    f'text-anchor="middle" pointer-events="none" fill="{ink}">'
                    f"{count:,}</text>"
                )


def _spoken(report: LabelReport) -> str:
    right = int(report.confusion_L_L.trace())
    return (
        f"Confusion matrix of {len(report.labels)} labels: {right:,} of "
        f"{int(report.confusion_L_L.sum()):,} on the diagonal"
    )


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
