"""The child process of `train.py`: one training, in its own interpreter.

Started as `train_worker.py MODULE JOB.json THREADS`. The module is one of `train_*`,
and holds `Training`. Answers with one line of JSON. Runs in the environment of each
peer, so it needs the standard library only.

A job says what to train on and how: `kind` ("full", "frozen", "lora" or "few"), `model`
(a folder), `out` (a folder to write to), `train` and `test` (rows: [text, label]; for
"lora" [text, answer]), `labels`, `epochs`, `batch`, `seed`, `frozen` (layers), `rate`,
and for "lora" `instruction`, `rank`, `alpha` and `judged` (rows of token ids: [prompt,
answer]).
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Protocol

_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


class Training(Protocol):
    """A training that is set up: libraries loaded, model open, data tokenised."""

    def __init__(self, job: dict[str, Any]) -> None:
        """Set it up. Not timed."""
        ...

    def train(self) -> dict[str, float]:
        """Train to the end.

        Returns:
            `steps`, and `seconds` where a part of the call is not training.
        """
        ...

    def quality(self) -> float:
        """Percent of the test labels, or of the answers' tokens, that are right."""
        ...


def main() -> None:
    module, job_file, threads = sys.argv[1:]
    # Whatever a library prints goes to the log; the answer has a pipe of its own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[: int(threads)])
    job: dict[str, Any] = json.loads(Path(job_file).read_text("utf-8"))
    made: Any = importlib.import_module(module)
    training: Training = made.Training(job)
    start, cpu = time.perf_counter(), os.times()
    said = training.train()
    used = os.times()
    reply = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": used.user + used.system - cpu.user - cpu.system,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * _BYTES_OF_MAXRSS
        / 1e6,
        **said,
    }
    reply["quality"] = training.quality()
    print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
