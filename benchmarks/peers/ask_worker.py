"""The child process of `ask.py`: one system that answers questions, and its clock.

Reads one JSON command a line and answers each with one JSON line:

    {"do": "build", "documents": DIR, "index": DIR}     seconds, passages
    {"do": "open", "index": DIR, "mode": "hybrid", "k": N, "url": URL, "tokens": N}
                                                        seconds
    {"do": "ask", "question": TEXT}                     seconds to the first piece of
                                                        the answer, and cpu_seconds

Runs in the environment of each peer, so it needs the standard library only. A system is
`Asking` in the module `NAME_asking`. Started as `ask_worker.py NAME MODEL THREADS`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL_NAME = "model"
"""What every endpoint of the benchmark calls its model."""


class Asking(Protocol):
    """Something that answers questions from a folder of text files."""

    def build(self, documents: Path, index: Path) -> int:
        """See `worker.System.build`."""
        ...

    def open_asking(
        self, index: Path, *, mode: str, k: int, url: str, tokens: int
    ) -> None:
        """Make ready to answer from an index that `build` left.

        Args:
            index: Where it is.
            mode: `hybrid` (words and vectors) or `dense`.
            k: Passages that the model gets.
            url: Root of the OpenAI-compatible API that answers, streamed.
            tokens: Most tokens of an answer.
        """
        ...

    def ask(self, question: str, on_text: Callable[[str], None]) -> None:
        """Answer to the end; `on_text` gets each piece as it comes."""
        ...


class FirstPiece:
    """Remembers what it took until the first letters came."""

    def __init__(self) -> None:
        self._start, self._cpu = time.perf_counter(), time.process_time()
        self.taken: dict[str, float] = {}

    def __call__(self, text: str) -> None:
        """Take a piece; what is empty is not an answer yet."""
        if text and not self.taken:
            self.stop()

    def stop(self) -> None:
        """It is here."""
        self.taken = {
            "seconds": time.perf_counter() - self._start,
            "cpu_seconds": time.process_time() - self._cpu,
        }


def answer(system: Asking, command: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command."""
    if command["do"] == "ask":
        first = FirstPiece()
        system.ask(command["question"], first)
        if not first.taken:
            first.stop()  # a model may have nothing to say
        return first.taken
    start = time.perf_counter()
    reply: dict[str, Any] = {}
    if command["do"] == "build":
        reply["passages"] = system.build(
            Path(command["documents"]), Path(command["index"])
        )
    else:
        system.open_asking(
            Path(command["index"]),
            mode=command["mode"],
            k=command["k"],
            url=command["url"],
            tokens=command["tokens"],
        )
    return {**reply, "seconds": time.perf_counter() - start}


def main() -> None:
    name, model, threads = sys.argv[1:]
    # Whatever a library prints goes to the log; our answers have a pipe of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[: int(threads)])
    start = time.perf_counter()
    made: Any = importlib.import_module(f"{name}_asking")
    system: Asking = made.Asking(Path(model))
    reply: dict[str, Any] = {"seconds": time.perf_counter() - start}
    print(json.dumps(reply), file=answers, flush=True)
    for line in sys.stdin:
        reply = answer(system, json.loads(line))
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
