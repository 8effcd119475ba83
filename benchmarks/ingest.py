"""Ingest, documents a second and memory: groundtune, LlamaIndex, Haystack, txtai.

All read the same abstracts of SciFact, one text file each, embed them with the same
weights and leave an index on disk. Each runs in an interpreter of its own (the first
run makes the environments), in a new process for every round; systems take turns, so
that a busy machine slows all of them. Loading libraries and the model is not counted.
How each is set up, and why so, stands in peers/NAME_system.py. Usage:

    python benchmarks/ingest.py SCIFACT [--documents 1000] [--rounds 3] [--peers txtai]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from groundtune.data.beir import read_beir
from peers.children import OURS, Child, interpreters
from peers.collection import write_files
from peers.command import (
    LIMIT_SECONDS,
    Bound,
    environments_folder,
    model_folder,
    options,
    run,
    target,
)

TARGETS: tuple[tuple[str, str, Bound, float], ...] = (
    ("documents a second", "documents_per_second", "at least", 2.5),
    # The same target where other work takes processors away and time says little.
    ("processor time", "cpu_seconds", "at most", 0.4),
    ("peak memory", "peak_mb", "below", 1),
)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument(
        "--documents", type=int, default=1000, help="0: the whole corpus"
    )
    chosen = parser.parse_args()
    collection = read_beir(chosen.data)
    pythons = interpreters(chosen.peers, root=environments_folder(chosen.envs))
    model = model_folder()
    builds: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        count = write_files(collection, root / "abstracts", count=chosen.documents)
        names = list(pythons)
        for number in range(max(1, chosen.rounds)):
            # Nobody always comes after the same one.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                with Child(
                    name,
                    python=pythons[name],
                    model=model,
                    threads=chosen.threads,
                    limit=LIMIT_SECONDS,
                ) as child:
                    built = child.ask(
                        "build",
                        documents=str(root / "abstracts"),
                        index=str(root / f"{name}-{number}"),
                    )
                builds[name].append(built)
                rate = count / built["seconds"]
                print(f"round {number + 1}, {name}: {rate:.1f}/s", file=sys.stderr)
    rows = {name: figures(built, count) for name, built in builds.items()}
    if chosen.json:
        print(json.dumps({"documents": count, "systems": rows}, indent=2))
    else:
        show(rows, count=count, rounds=len(builds[OURS]), threads=chosen.threads)


def figures(built: list[dict[str, Any]], count: int) -> dict[str, float]:
    rates = [count / each["seconds"] for each in built]
    return {
        "documents_per_second": round(statistics.median(rates), 2),
        "slowest": round(min(rates), 2),
        "fastest": round(max(rates), 2),
        "cpu_seconds": round(
            statistics.median(each["cpu_seconds"] for each in built), 1
        ),
        "passages": built[0]["passages"],
        "peak_mb": statistics.median(each["peak_mb"] for each in built),
    }


def show(
    rows: dict[str, dict[str, float]], *, count: int, rounds: int, threads: int
) -> None:
    print(f"{count} abstracts of SciFact, {threads} threads, median of {rounds} rounds")
    print(
        f"{'':<12} {'documents/s':>11}  {'range':<13} {'CPU s':>6} {'passages':>8} "
        f"{'peak MB':>8}"
    )
    for name, row in rows.items():
        spread = f"{row['slowest']:.1f} to {row['fastest']:.1f}"
        print(
            f"{name:<12} {row['documents_per_second']:>11.1f}  {spread:<13} "
            f"{row['cpu_seconds']:>6.0f} {row['passages']:>8} {row['peak_mb']:>8.0f}"
        )
    for label, key, bound, to in TARGETS:
        values = {name: row[key] for name, row in rows.items()}
        print(target(label, values, bound=bound, to=to))


if __name__ == "__main__":
    run(main)
