"""Writes the table of `docs/results.md` from finished runs.

    python scripts/results.py RUN... >> docs/results.md

A line a run: what was compared on what, each arm with its 95 % interval, and the
verdict. Nothing is typed in: every figure comes from the run's own `report --json`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from groundtune.core.values import ARMS
from groundtune.recipes.report import report
from groundtune.store.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundtune.measure.comparison import Summary

_HEAD = ("run", "task", "measure", "cases", *ARMS, "verdict")


def main() -> None:
    """Print the table."""
    lines = [_line(_HEAD), f"|{' --- |' * len(_HEAD)}"]
    for name in sys.argv[1:]:
        path = Path(name)
        lines.append(_line(_cells(path, report(path))))
    sys.stdout.write("\n".join(lines) + "\n")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(path: Path, summary: Summary) -> list[str]:
    counts = read_json(path / "run.json")["cases"]
    cases = f"{counts['train']:,} + {counts['dev']:,} + {counts['test']:,}"
    arms: list[str] = []
    for arm in ARMS:
        figures = summary.arms.get(arm)
        if figures is None:
            arms.append("")
            continue
        score = figures.score
        seeds = f", {len(figures.by_seed)} seeds" if len(figures.by_seed) > 1 else ""
        arms.append(f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]{seeds}")
    verdict = summary.verdict.arm or "undecided"
    measure = summary.measure.replace("_", " ")
    return [path.name, summary.task, measure, cases, *arms, verdict]


if __name__ == "__main__":
    main()
