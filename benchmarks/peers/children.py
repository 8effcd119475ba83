"""Starting systems in processes of their own and asking them, within a time limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .environments import PEERS, interpreter

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS = "groundtune"

_HERE = Path(__file__).resolve().parent
_LOG_LINES = 15


def interpreters(peers: Sequence[str], *, root: Path) -> dict[str, Path]:
    """Python of each system: ours first, then the peers, whose environments are made.

    Raises:
        SystemExit: A name is none of `PEERS`, or an environment cannot be made.
    """
    if unknown := sorted(set(peers) - set(PEERS)):
        raise SystemExit(f"no peer {unknown[0]!r}; there are {', '.join(PEERS)}")
    return {
        OURS: Path(sys.executable),
        **{peer: interpreter(peer, root=root) for peer in dict.fromkeys(peers)},
    }


class Child:
    """A system in a child process; its worker says what it understands."""

    def __init__(
        self,
        name: str,
        *,
        python: Path,
        model: Path,
        threads: int,
        limit: float,
        worker: str = "worker.py",
    ) -> None:
        """Start it and wait until its libraries and its model are loaded.

        Args:
            name: `groundtune` or one of `PEERS`.
            python: Its interpreter.
            model: Folder of the embedding model, the same for all.
            threads: Processors that it may use.
            limit: Seconds that one answer may take.
            worker: What runs in the process, a file beside this one.
        """
        self.name = name
        self._limit = limit
        self._log = tempfile.TemporaryFile(  # noqa: SIM115 (closed at the end)
            "w+", encoding="utf-8"
        )
        count = str(threads)
        settings = {
            "OMP_NUM_THREADS": count,
            "MKL_NUM_THREADS": count,
            "OPENBLAS_NUM_THREADS": count,
            "RAYON_NUM_THREADS": count,
            # Everything is on disk, and nothing is to be told about this run.
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HAYSTACK_TELEMETRY_ENABLED": "False",
        }
        self._process = subprocess.Popen(
            [str(python), str(_HERE / worker), name, str(model), count],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            # A child needs the rest of ours, such as PATH and the folder of caches.
            env={**os.environ, **settings},  # noqa: TID251 (reason above)
        )
        self.loading_seconds: float = self._answer()["seconds"]

    def ask(self, do: str, **details: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
        """Have one command carried out.

        Raises:
            SystemExit: It failed or took too long; shows the end of its log.
        """
        assert self._process.stdin is not None
        try:
            print(
                json.dumps({"do": do, **details}), file=self._process.stdin, flush=True
            )
        except BrokenPipeError:
            self._fail()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(self._limit, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            self._fail()
        return json.loads(line)

    def _fail(self) -> None:
        status = self._process.wait()
        self._log.seek(0)
        said = self._log.read().splitlines()[-_LOG_LINES:]
        why = f"took longer than {self._limit:.0f} s" if status == -9 else "failed"
        raise SystemExit("\n".join([f"{self.name} {why} (exit {status}):", *said]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
