"""Search over SciFact: groundtune against LlamaIndex, Haystack and txtai.

Each system indexes the whole corpus as `ingest.py` describes, and searches it by words
and vectors. Printed for each: nDCG@10 over the test queries with its 95 % interval, the
time of one query, and peak memory while searching. Queries are asked one at a time;
systems take turns every few queries, each in a process of its own, so that a busy
machine slows all of them. No query is timed twice, so no cache can answer. Usage:

    python benchmarks/search.py SCIFACT [--indexes DIR] [--rounds 3] [--peers txtai]

Indexing takes some five minutes for each peer. With --indexes it is done once: the next
run finds the indexes there.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.data.beir import read_beir
from peers.children import OURS, Child, interpreters
from peers.collection import documents_of, write_files
from peers.command import (
    LIMIT_SECONDS,
    Bound,
    environments_folder,
    model_folder,
    options,
    run,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TARGETS: tuple[tuple[str, str, Bound, float], ...] = (
    ("p50 of one query", "p50_ms", "at most", 0.5),
    # The same target where other work takes processors away and time says little.
    ("processor time", "cpu_ms", "at most", 0.5),
    ("peak memory", "peak_mb", "below", 1),
    ("nDCG@10", "ndcg@10", "above", 1),
)
HITS = 10
"""What a timed query asks for, and what nDCG looks at."""
DEPTH = 30
"""Passages asked for where documents are ranked: several may be of one document."""
TURN = 25
"""Queries that a system answers before it is the next one's turn."""
WARM_UP = 10


class Quality(NamedTuple):
    """nDCG@10 of a system over the test queries."""

    scores: list[float]
    value: float
    low: float
    high: float


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--indexes", type=Path, help="folder to keep indexes in")
    chosen = parser.parse_args()
    collection = read_beir(chosen.data)
    pythons = interpreters(chosen.peers, root=environments_folder(chosen.envs))
    model = model_folder()
    judged = collection.judged("test")
    tested = [collection.queries[name] for name in judged]
    others = [collection.queries[name] for name in collection.judged("train")]

    def start(name: str) -> Child:
        return Child(
            name,
            python=pythons[name],
            model=model,
            threads=chosen.threads,
            limit=LIMIT_SECONDS,
        )

    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        abstracts, indexes = root / "abstracts", chosen.indexes or root / "indexes"
        count = write_files(collection, abstracts)
        for name in pythons:
            rate = count / build(name, start, abstracts, indexes)["seconds"]
            print(f"{name}: indexed, {rate:.1f} documents/s", file=sys.stderr)
        children = [stack.enter_context(start(name)) for name in pythons]
        for child in children:
            child.ask("open", index=str(indexes / child.name))
            child.ask("search", queries=others[:WARM_UP], k=HITS)
        rounds = [
            tested,
            *(others[WARM_UP + i :: 4] for i in range(max(1, chosen.rounds) - 1)),
        ]
        taken = [timed(children, queries) for queries in rounds]
        quality: dict[str, Quality] = {}
        memory: dict[str, float] = {}
        for child in children:
            reply = child.ask("search", queries=tested, k=DEPTH)
            quality[child.name] = judge(reply["found"], list(judged.values()))
            memory[child.name] = reply["peak_mb"]
    rows = {
        name: {
            "ndcg@10": round(quality[name].value, 4),
            "low": round(quality[name].low, 4),
            "high": round(quality[name].high, 4),
            "p50_ms": middle([each[name].percentile(50) for each in taken]),
            "p95_ms": middle([each[name].percentile(95) for each in taken]),
            "cpu_ms": middle([each[name].mean_cpu() for each in taken]),
            "peak_mb": memory[name],
        }
        for name in pythons
    }
    gap = lead(quality)
    if chosen.json:
        result = {"documents": count, "queries": len(tested), "systems": rows}
        print(json.dumps({**result, "lead": gap}, indent=2))
        return
    sizes = ", ".join(str(len(queries)) for queries in rounds)
    print(
        f"{count} abstracts of SciFact, {len(tested)} test queries; {chosen.threads} "
        f"threads, times are the median of rounds of {sizes} queries"
    )
    show(rows, gap)


def build(
    name: str, start: Callable[[str], Child], documents: Path, indexes: Path
) -> dict[str, Any]:
    """Make the index of a system, unless an earlier run left it whole."""
    finished = indexes / f"{name}.json"
    if not finished.exists():
        indexes.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(indexes / name, ignore_errors=True)
        index = str(indexes / name)
        with start(name) as child:
            built = child.ask("build", documents=str(documents), index=index)
        finished.write_text(json.dumps(built), encoding="utf-8")
    return json.loads(finished.read_text(encoding="utf-8"))


class Times:
    """How long a system took over a round of queries."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu_seconds = 0.0

    def percentile(self, percent: int) -> float:
        """Seconds that so many of a hundred queries stayed below."""
        cuts = statistics.quantiles(self.seconds, n=100, method="inclusive")
        return cuts[percent - 1]

    def mean_cpu(self) -> float:
        """Processor seconds of one query."""
        return self.cpu_seconds / len(self.seconds)


def timed(children: Sequence[Child], queries: Sequence[str]) -> dict[str, Times]:
    """Times of each system; they take turns."""
    times = {child.name: Times() for child in children}
    for number, first in enumerate(range(0, len(queries), TURN)):
        turn = number % len(children)
        for child in [*children[turn:], *children[:turn]]:
            asked = queries[first : first + TURN]
            reply = child.ask("search", queries=asked, k=HITS)
            times[child.name].seconds += reply["seconds"]
            times[child.name].cpu_seconds += reply["cpu_seconds"]
    return times


def judge(
    found: Sequence[Sequence[str]], relevant: Sequence[Mapping[str, float]]
) -> Quality:
    """nDCG@10 of documents: each stands where its best passage does."""
    import numpy as np

    from groundtune.measure.ranking import ndcg
    from groundtune.measure.statistics import mean_interval

    scores = [
        ndcg(documents_of(names), wanted, k=HITS)
        for names, wanted in zip(found, relevant, strict=True)
    ]
    rng = np.random.default_rng(0)
    mean = mean_interval(scores, range(len(scores)), rng=rng)
    return Quality(scores, mean.value, mean.low, mean.high)


def lead(quality: Mapping[str, Quality]) -> dict[str, Any] | None:
    """How far we are above the best peer, query by query; None without a peer."""
    import numpy as np

    from groundtune.measure.statistics import compare_paired

    peers = [name for name in quality if name != OURS]
    if not peers:
        return None
    best = max(peers, key=lambda name: quality[name].value)
    ours, theirs = quality[OURS].scores, quality[best].scores
    rng = np.random.default_rng(0)
    gap = compare_paired(ours, theirs, range(len(ours)), rng=rng)
    return {
        "peer": best,
        "difference": round(gap.difference, 4),
        "low": round(gap.low, 4),
        "high": round(gap.high, 4),
    }


def middle(seconds: Sequence[float]) -> float:
    """Milliseconds of the middle round."""
    return round(1000 * statistics.median(seconds), 2)


def show(rows: dict[str, dict[str, float]], gap: dict[str, Any] | None) -> None:
    print(
        f"{'':<12} {'nDCG@10':>7}  {'95 %':<14} {'p50 ms':>7} {'p95 ms':>7} "
        f"{'CPU ms':>7} {'peak MB':>8}"
    )
    for name, row in rows.items():
        print(
            f"{name:<12} {row['ndcg@10']:>7.3f}  {row['low']:.3f} to {row['high']:.3f} "
            f"{row['p50_ms']:>7.1f} {row['p95_ms']:>7.1f} "
            f"{row['cpu_ms']:>7.1f} {row['peak_mb']:>8.0f}"
        )
    for label, key, bound, to in TARGETS:
        values = {name: row[key] for name, row in rows.items()}
        print(target(label, values, bound=bound, to=to))
    if gap is not None:
        print(
            f"nDCG@10 above {gap['peer']}: {gap['difference']:+.3f} "
            f"[{gap['low']:+.3f}, {gap['high']:+.3f}]"
        )


if __name__ == "__main__":
    run(main)
