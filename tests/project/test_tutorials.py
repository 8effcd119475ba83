"""A tutorial does what it says, from the first block to the last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
END_OF_BLOCK = "--- end of block ---"


def blocks(page: Path) -> list[tuple[str, str]]:
    """What is to be typed, and what the page says that comes of it."""
    found = re.findall(
        r"```bash\n(.*?)```\n\n```text\n(.*?)```", page.read_text(), re.DOTALL
    )
    assert len(found) == page.read_text().count("```bash"), "each shows what comes"
    return found


def typed(page: Path, folder: Path) -> list[str]:
    """What the blocks print, one after the other in one shell."""
    shutil.copytree(TUTORIALS, folder / "docs" / "tutorials")
    script = "set -e\n" + "".join(
        f"{command}echo '{END_OF_BLOCK}'\n" for command, _ in blocks(page)
    )
    ours = dict(os.environ)  # noqa: TID251 (a person's own shell)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=ours
        | {
            "PATH": f"{Path(sys.executable).parent}:{ours['PATH']}",
            "OMP_NUM_THREADS": "1",  # other tests run beside this one
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(f"{END_OF_BLOCK}\n")[:-1]


@pytest.mark.timeout(480)
def test_the_sentiment_tutorial(tmp_path: Path) -> None:
    page = TUTORIALS / "sentiment.md"

    printed = typed(page, tmp_path)

    for (command, shown), real in zip(blocks(page), printed, strict=True):
        # Figures and times differ from machine to machine, words do not.
        assert NUMBER.sub("#", real) == NUMBER.sub("#", shown), command
    shown, real = (
        next(text for text in texts if "test: " in text)
        for texts in ([text for _, text in blocks(page)], printed)
    )
    promised = accuracy(shown)
    assert accuracy(real)[0] == pytest.approx(promised[0], abs=0.1)
    assert promised[1] <= accuracy(real)[0] <= promised[2]


def accuracy(text: str) -> tuple[float, float, float]:
    """Share right in the exam, and the ends of its interval."""
    found = re.search(r"^test: ([\d.]+) \[([\d.]+), ([\d.]+)\], 40 cases$", text, re.M)
    assert found is not None, text
    value, low, high = (float(one) for one in found.groups())
    return value, low, high
