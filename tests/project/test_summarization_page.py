"""The page on summarization does what it says, from the first block to the last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).resolve().parents[2] / "docs" / "scenarios"
END_OF_BLOCK = "--- end of block ---"


def shown(kind: str) -> list[tuple[str, str]]:
    """What is to be typed, and what the page says that comes of it."""
    page = (SCENARIOS / "summarization.md").read_text(encoding="utf-8")
    return re.findall(
        rf"```{kind}\n((?:(?!```).)*?)```\n\n```text\n(.*?)```", page, re.DOTALL
    )


def printed(blocks: list[tuple[str, str]], folder: Path) -> list[str]:
    """What the blocks print, one after the other in one shell."""
    shutil.copytree(SCENARIOS, folder / "docs" / "scenarios")
    script = "set -e\n" + "".join(
        f"{command}echo '{END_OF_BLOCK}'\n" for command, _ in blocks
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


@pytest.mark.timeout(240)
def test_the_page_on_summarization(tmp_path: Path) -> None:
    blocks = shown("bash")
    assert len(blocks) == 2

    assert printed(blocks, tmp_path) == [text for _, text in blocks]


@pytest.mark.slow
def test_what_is_found_elsewhere_on_the_page(tmp_path: Path) -> None:
    # Two load the generator.
    blocks = [*shown("bash"), *shown("sh")]
    assert len(blocks) == 5

    assert printed(blocks, tmp_path) == [text for _, text in blocks]
