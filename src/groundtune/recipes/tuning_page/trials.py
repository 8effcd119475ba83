"""The settings that a search tried, as a plot and as rows of a table.

A trial is a mapping with `number`, `strategy`, `settings`, `score`, `is_whole` (false
where it was given up) and `seconds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.recipes.report_page.drawing import ARM, MUTED, PAPER, page_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    Trial = Mapping[str, Any]


class TrialRow(NamedTuple):
    """A trial as it is read."""

    number: int
    strategy: str
    varied: str
    score: str
    minutes: str
    is_chosen: bool


def trial_rows(trials: Sequence[Trial], *, chosen: int) -> list[TrialRow]:
    """The trials in the order tried."""
    return [
        TrialRow(
            number=trial["number"],
            strategy=trial["strategy"],
            varied=", ".join(
                f"{name.replace('_', ' ')} {_short(value)}"
                for name, value in trial["settings"].items()
            ),
            score=f"{trial['score']:.3f}" if trial["is_whole"] else "given up",
            minutes=f"{trial['seconds'] / 60:.1f}",
            is_chosen=trial["number"] == chosen,
        )
        for trial in trials
    ]


def trial_plot(trials: Sequence[Trial], *, chosen: int, measure: str) -> str:
    """Score by trial; empty where fewer than two were trained to their end."""
    whole = [trial for trial in trials if trial["is_whole"]]
    if len(whole) < 2:
        return ""

    def draw(axes: Axes) -> None:
        axes.grid(axis="y")
        best = 0.0
        stairs: list[float] = []
        for trial in whole:
            best = max(best, trial["score"])
            stairs.append(best)
        numbers = [trial["number"] for trial in whole]
        axes.step(numbers, stairs, where="post", color=MUTED, lw=1.2)
        for trial in whole:
            is_chosen = trial["number"] == chosen
            axes.plot(
                [trial["number"]],
                [trial["score"]],
                "o",
                ms=9 if is_chosen else 7,
                mfc=ARM["tuned"] if is_chosen else PAPER,
                mec=ARM["tuned"],
                mew=1.6,
                clip_on=False,
                zorder=5,
            )
        axes.set_xticks(numbers)
        axes.set_xlabel("trial")
        axes.set_ylabel(f"{measure} on held-out cases")
        axes.tick_params(axis="y", labelcolor=MUTED, length=0)

    told = "; ".join(f"trial {t['number']} {t['score']:.3f}" for t in whole)
    return page_svg(
        "trials",
        draw,
        rows=7,
        sides=(0.12, 0.97),
        alt=f"{measure} of each setting tried: {told}",
    )


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
