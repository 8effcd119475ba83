"""The child process of a benchmark: one retrieval system, in its own interpreter.

Reads one JSON command a line and answers each with one JSON line:

    {"do": "build", "documents": DIR, "index": DIR}     seconds, cpu_seconds, passages,
                                                        peak_mb
    {"do": "open", "index": DIR}                        seconds, peak_mb
    {"do": "search", "queries": [..], "k": N}           seconds and found, per query,
                                                        cpu_seconds of all, peak_mb

Runs in the environment of each peer, so it needs the standard library only. A system is
`System` in the module `NAME_system`. Started as `worker.py NAME MODEL_FOLDER THREADS`.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol

_SAMPLE_SECONDS = 0.2
_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


class System(Protocol):
    """Something that indexes a folder of text files and searches it."""

    def build(self, documents: Path, index: Path) -> int:
        """Read, split, embed and index every file, and keep the index on disk.

        Returns:
            How many passages it was cut into.
        """
        ...

    def open(self, index: Path) -> None:
        """Open an index that `build` left."""
        ...

    def search(self, query: str, k: int) -> list[str]:
        """File name of each of the best `k` passages, best first."""
        ...


class Memory:
    """Peak memory of this process and of whatever it starts."""

    def __init__(self) -> None:
        self._children = 0
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def peak_mb(self) -> float:
        """The process at its largest, and its children at their largest together."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_OF_MAXRSS
        return round((own + self._children) / 1e6, 1)

    def stop(self) -> None:
        """Look no more at children: searches are timed."""
        self._ended.set()

    def _watch(self) -> None:
        # What the kernel keeps for a child begins with its parent's size, so look.
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._children = max(self._children, _resident_below(os.getpid()))


def _resident_below(pid: int) -> int:
    """Bytes resident in the descendants of a process; 0 where /proc does not say."""
    total = 0
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in map(int, listed.read_text().split()):
                pages = int(Path(f"/proc/{child}/statm").read_text().split()[1])
                total += pages * os.sysconf("SC_PAGE_SIZE") + _resident_below(child)
        except OSError:  # it ended while we looked
            continue
    return total


def cpu_seconds() -> float:
    """Processor time of this process and of the children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def answer(system: System, memory: Memory, command: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command."""
    start, cpu = time.perf_counter(), cpu_seconds()
    if command["do"] == "build":
        passages = system.build(Path(command["documents"]), Path(command["index"]))
        taken = time.perf_counter() - start
        return {
            "seconds": taken,
            "cpu_seconds": cpu_seconds() - cpu,
            "passages": passages,
            "peak_mb": memory.peak_mb(),
        }
    memory.stop()
    if command["do"] == "open":
        system.open(Path(command["index"]))
        return {"seconds": time.perf_counter() - start, "peak_mb": memory.peak_mb()}
    seconds: list[float] = []
    found: list[list[str]] = []
    for query in command["queries"]:
        start = time.perf_counter()
        names = system.search(query, command["k"])
        seconds.append(time.perf_counter() - start)
        found.append(names)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds() - cpu,
        "found": found,
        "peak_mb": memory.peak_mb(),
    }


def main() -> None:
    name, model, threads = sys.argv[1:]
    # Whatever a library prints goes to the log; our answers have a pipe of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[: int(threads)])
    memory = Memory()
    start = time.perf_counter()
    made: Any = importlib.import_module(f"{name}_system")
    system: System = made.System(Path(model))
    reply: dict[str, Any] = {"seconds": time.perf_counter() - start}
    print(json.dumps(reply), file=answers, flush=True)
    for line in sys.stdin:
        reply = answer(system, memory, json.loads(line))
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
