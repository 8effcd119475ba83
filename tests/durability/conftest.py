"""A process that forks writers on demand, and a small knowledge base for them."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

HERE = Path(__file__).resolve().parent
KILLED = -9


class Nursery:
    """Forks writers; `run` returns how each of them ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "nursery.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *jobs: dict[str, Any]) -> list[int]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def work() -> Any:
    """The functions of workload.py."""
    return SimpleNamespace(**runpy.run_path(str(HERE / "workload.py")))


class Laboratory:
    """A knowledge base, and an account of what was acknowledged."""

    def __init__(self, folder: Path, work: Any, nursery: Nursery) -> None:
        self.folder = folder
        self.kb = folder / "kb"
        self.work = work
        self.nursery = nursery
        self.acks = folder / "acks"

    def job(self, operations: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return {
            "kb": str(self.kb),
            "acks": str(self.acks),
            "operations": operations,
            **options,
        }

    def plan(
        self, number: int, state: dict[str, str], rng: np.random.Generator
    ) -> list[dict[str, Any]]:
        """Forty operations from a state on, the first of them numbered `number`."""
        self.acks.unlink(missing_ok=True)
        operations: list[dict[str, Any]] = []
        for at in range(number, number + 40):
            operations.append(self.work.next_operation(at, state, rng))
            state = self.work.after(operations[-1], state)
        return operations

    def acknowledged(self) -> int:
        """How many operations the last writer was told are done."""
        return self.acks.read_text().count("done") if self.acks.exists() else 0

    def states(
        self, operations: list[dict[str, Any]], state: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The last state that was acknowledged, and the one that was on the way."""
        done, begun = -1, -1
        if self.acks.exists():
            for line in self.acks.read_text().splitlines():
                kind, number = json.loads(line)
                done = max(done, number) if kind == "done" else done
                begun = max(begun, number)
        for operation in operations[: done + 1]:
            state = self.work.after(operation, state)
        if begun > done:
            return state, self.work.after(operations[begun], state)
        return state, state

    def error(self) -> str:
        """What the last writer said that did not end well."""
        file = Path(f"{self.acks}.error")
        return file.read_text() if file.exists() else ""

    def fresh(self, original: Path) -> None:
        """Begin again from a copy of a folder."""
        shutil.rmtree(self.folder)
        shutil.copytree(original, self.folder)


FIRST = {f"d{number}": f"d{number}@1" for number in range(6)}


@pytest.fixture(scope="session")
def first_state() -> dict[str, str]:
    return dict(FIRST)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, work: Any) -> Path:
    """A folder with a knowledge base in FIRST; not to be changed."""
    folder = tmp_path_factory.mktemp("original")
    work.open_base(folder / "kb").update(
        [work.document(*item) for item in FIRST.items()], delete_missing=False
    )
    return folder


@pytest.fixture
def lab(tmp_path: Path, work: Any, nursery: Nursery, original: Path) -> Laboratory:
    shutil.copytree(original, tmp_path / "lab")
    return Laboratory(tmp_path / "lab", work, nursery)
