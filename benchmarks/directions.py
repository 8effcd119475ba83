"""Directions that the literature reports, looked for on an invented world.

    python benchmarks/directions.py OUT [--seed 0]

Facts that no model can know, documents that state them, and a model of 135 million
parameters. Each direction is one paired difference with its 95 % interval, and whether
it holds here. Where it does not, that is what is printed. What came out
stands in `docs/results.md`.

About half an hour on two CPU cores. Stopped and run again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.config.compare import CLOSED_BOOK_READING, DIAGNOSTICS, CompareSettings
from groundtune.config.training import TrainSettings
from groundtune.data.cases import write_cases
from groundtune.data.worlds import make_world, write_world
from groundtune.measure.statistics import compare_paired
from groundtune.recipes.compare import compare
from groundtune.recipes.comparison.forgetting import FORGETTING
from groundtune.recipes.comparison.freshness import EditedFact, measure_freshness
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.store.run import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.core.values import QaCase
    from groundtune.data.worlds import World

CLOSED_BOOK = TrainSettings(epochs=100.0, max_tokens=30_000, evaluations=3)
"""Tokens end it: as many of them whatever the number of wordings."""
CONTEXT = TrainSettings(epochs=4.0, max_tokens=60_000, evaluations=3)
TESTED = 60
EDITS = 20
WORDINGS = (0, 1, 2)
"""Beside the five of the world itself; it has no more than five to train on."""
MEASURE = "contains"
"""Whether the answer stands in what was said: facts, not format."""


class Direction(NamedTuple):
    """One difference, and whether it has the sign that was expected."""

    name: str
    expected: str
    value: float
    low: float
    high: float
    n: int

    @property
    def told(self) -> str:
        """Whether it holds, as plainly as the interval allows."""
        sign = 1 if self.expected == "above 0" else -1
        low, high = sorted((sign * self.low, sign * self.high))
        if low > 0:
            return "holds"
        return "the other way round" if high < 0 else "not shown either way"

    @property
    def row(self) -> str:
        """As a line of a Markdown table."""
        gap = f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"
        return f"| {self.name} | {self.expected} | {gap} | {self.n} | {self.told} |"


def main() -> None:
    """Make the runs, and print the table."""
    parser = argparse.ArgumentParser(
        description="Directions of the literature on a world"
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    world = make_world(given.seed)
    folder = given.out / "world"
    write_world(world, folder)
    run = _whole(world, folder, given.out / "run", seed=given.seed)
    found = [*_from_rows(run), *_from_edits(world, folder, run), *_from_probe(run)]
    found += _from_wordings(world, folder, given.out, run, seed=given.seed)
    print("| direction | expected | difference, 95 % interval | n | here |")
    print("| --- | --- | --- | --- | --- |")
    for direction in found:
        print(direction.row)


def _settings(**more: Any) -> CompareSettings:  # noqa: ANN401 (fields of a dataclass)
    return CompareSettings(
        dev_cases=40, style_cases=16, closed_book=CLOSED_BOOK, context=CONTEXT, **more
    )


def _asked(world: World, *, seed: int) -> list[QaCase]:
    """Facts that were trained on, in other words, and some that have no answer."""
    rng = np.random.default_rng(seed)
    unanswerable = TESTED // 4
    drawn = rng.permutation(len(world.test_seen))[: TESTED - unanswerable]
    seen = [world.test_seen[int(place)] for place in sorted(drawn)]
    return [*seen, *world.unanswerable[:unanswerable]]


def _whole(world: World, folder: Path, out: Path, *, seed: int) -> Path:
    test = folder / "asked.jsonl"
    write_cases(test, _asked(world, seed=seed))
    compare(
        "qa",
        train=folder / "train.jsonl",
        dev=folder / "dev.jsonl",
        test=test,
        docs=[folder / "docs"],
        out=out,
        seed=seed,
        settings=_settings(diagnostics=(*DIAGNOSTICS, CLOSED_BOOK_READING)),
        progress=_say,
    )
    return out


def _from_rows(run: Path) -> list[Direction]:
    rows = RunFolder.open(run).rows()
    right = _scores(rows, lambda row: row["answerable"], lambda r: r["scores"][MEASURE])
    found = [
        _paired(name, "above 0", right[a], right[b])
        for name, a, b in (
            ("facts: rag - tuned", "rag", "tuned"),
            ("facts: both - tuned", "both", "tuned"),
            ("context-trained both - naive both", "both", "naive_both"),
            (
                "reading, right passage given: context adapter - base",
                "right_passage_tuned",
                "right_passage_base",
            ),
        )
    ]
    found.append(
        _paired(
            "reading, right passage given: closed-book adapter - base",
            "below 0",
            right[CLOSED_BOOK_READING],
            right["right_passage_base"],
        )
    )
    declined = _scores(
        rows, lambda row: not row["answerable"], lambda row: float(row["abstained"])
    )
    found += [
        _paired(name, "below 0", declined[a], declined[b])
        for name, a, b in (
            ("refusal of what has no answer: tuned - plain", "tuned", "plain"),
            ("refusal of what has no answer: both - rag", "both", "rag"),
        )
    ]
    return found


def _from_edits(world: World, folder: Path, run: Path) -> list[Direction]:
    """How much oftener than never the old value is said after an edit."""
    facts = [
        EditedFact(case=edit.case, old_answers=edit.old_answers)
        for edit in world.edits[:EDITS]
    ]
    figures = measure_freshness(
        run, facts, edited=folder / "edited", embedder=DEFAULT_EMBEDDER, progress=_say
    )
    found: list[Direction] = []
    for name, its in figures["systems"].items():
        stale = its["stale_rate"]
        found.append(
            Direction(
                f"after an edit, retrieved: {name} says the old value",
                "above 0",
                stale["value"],
                stale["low"],
                stale["high"],
                stale["n"],
            )
        )
    return found


def _from_probe(run: Path) -> list[Direction]:
    figures = json.loads((run / FORGETTING).read_text(encoding="utf-8"))["figures"]
    return [
        Direction(
            f"common knowledge: {arm} - plain",
            "below 0",
            its["difference"]["value"],
            its["difference"]["low"],
            its["difference"]["high"],
            its["difference"]["n"],
        )
        for arm, its in figures.items()
    ]


def _from_wordings(
    world: World, folder: Path, out: Path, run: Path, *, seed: int
) -> list[Direction]:
    """Closed-book recall after the same number of tokens, by wordings of each fact."""
    asked = {case.id for case in _asked(world, seed=seed) if case.answerable}
    recall: dict[int, dict[str, tuple[float, str]]] = {
        5: _scores(
            RunFolder.open(run).rows(),
            lambda row: row["answerable"],
            lambda row: row["scores"][MEASURE],
        )["tuned"]
    }
    halves = {case.source for case in world.test_seen if case.id in asked}
    for count in WORDINGS:
        if count:
            taught = [c for c in world.train if int(c.id.rsplit("/", 1)[1]) < count]
        else:
            # No word of what is asked: entities that no test case is about.
            taught = [c for c in world.train if c.source not in halves] or [*world.dev]
        train = folder / f"train-{count}.jsonl"
        write_cases(train, taught)
        target = out / f"wordings-{count}"
        compare(
            "qa",
            train=train,
            dev=folder / "dev.jsonl",
            test=folder / "asked.jsonl",
            kb=run / "kb",
            out=target,
            arms=["tuned"],
            seed=seed,
            settings=_settings(diagnostics=(), probe_cases=0),
            progress=_say,
        )
        recall[count] = _scores(
            RunFolder.open(target).rows(),
            lambda row: row["answerable"],
            lambda row: row["scores"][MEASURE],
        )["tuned"]
    means = {
        count: float(np.mean([score for score, _ in scores.values()]))
        for count, scores in sorted(recall.items())
    }
    told = ", ".join(f"{count}: {mean:.2f}" for count, mean in means.items())
    print(f"Recall without documents by wordings of a fact in training: {told}\n")
    return [
        _paired(
            f"recall without documents: 5 wordings of a fact - {count}",
            "above 0",
            recall[5],
            recall[count],
        )
        for count in WORDINGS
    ]


def _scores(
    rows: Sequence[dict[str, Any]],
    wanted: Callable[[dict[str, Any]], bool],
    score: Callable[[dict[str, Any]], float],
) -> dict[str, dict[str, tuple[float, str]]]:
    """Score and group of each case, by system."""
    found: dict[str, dict[str, tuple[float, str]]] = {}
    for row in rows:
        if wanted(row):
            found.setdefault(row["system"], {})[row["case"]] = score(row), row["group"]
    return found


def _paired(
    name: str,
    expected: str,
    first: dict[str, tuple[float, str]],
    second: dict[str, tuple[float, str]],
) -> Direction:
    cases = sorted(first.keys() & second.keys())
    gap = compare_paired(
        [first[case][0] for case in cases],
        [second[case][0] for case in cases],
        [first[case][1] for case in cases],
        rng=np.random.default_rng(0),
    )
    return Direction(name, expected, gap.difference, gap.low, gap.high, gap.n)


def _say(label: str, done: int, total: int | None) -> None:
    import sys

    if done in {0, total}:
        print(f"  {label}: {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
