"""What is promised of a run that is cut off, and of a run that is made twice."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

if TYPE_CHECKING:
    from groundtune.config.compare import CompareSettings

KILLS = 10

COMMAND = """
import pickle, sys
from pathlib import Path
from groundtune.recipes.compare import compare

if __name__ == "__main__":
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    compare(
        "qa",
        train=folder / "train.jsonl",
        dev=folder / "dev.jsonl",
        test=folder / "test.jsonl",
        docs=[folder / "docs"],
        out=out,
        settings=pickle.loads(Path(sys.argv[3]).read_bytes()),
    )
"""


class Finished(Protocol):
    run: Path
    folder: Path
    settings: CompareSettings


@pytest.fixture
def command(finished: Finished, tmp_path: Path) -> list[str]:
    """The command that made `finished`, into another folder."""
    import pickle

    settings = tmp_path / "settings"
    settings.write_bytes(pickle.dumps(finished.settings))
    script = tmp_path / "again.py"
    script.write_text(COMMAND)
    return [
        sys.executable,
        str(script),
        str(finished.folder),
        str(tmp_path / "run"),
        str(settings),
    ]


def results(run: Path) -> dict[str, bytes]:
    names = ("rows.jsonl", "passages.jsonl", "styles.json", "evidence.json")
    return {name: (run / name).read_bytes() for name in names}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_same_seed_gives_the_same_bytes(
    finished: Finished, command: list[str]
) -> None:
    subprocess.run(command, check=True)

    assert results(Path(command[3])) == results(finished.run)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_at_ten_moments_it_ends_in_the_same_rows(
    finished: Finished, command: list[str]
) -> None:
    rng = np.random.default_rng(20)
    run = Path(command[3])
    kills = 0
    while kills < KILLS:
        child = subprocess.Popen(command)
        try:
            child.wait(timeout=float(rng.uniform(1.0, 25.0)))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
        else:
            assert child.returncode == 0
            assert results(run) == results(finished.run)
            shutil.rmtree(run)  # done before all the kills: the rest hit another run
    subprocess.run(command, check=True)

    assert results(run) == results(finished.run)
