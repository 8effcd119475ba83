"""Tutorials and scenarios do what they say, from the first block to the last.

A page's ```bash blocks are typed one after the other into one shell, in a folder that
holds `docs/`. Each is followed by what comes of it: ```text is compared, with figures
left out, since they differ from machine to machine; ```text generated is what a model
wrote, which may differ in every word, and has only to be there. ```sh blocks are not
run: they name files of the reader's own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("scenarios/*.md")])
NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
END_OF_BLOCK = "--- end of block ---"


class Block(NamedTuple):
    """What is to be typed, and what the page says that comes of it."""

    command: str
    shown: str
    is_generated: bool


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(
        r"```bash\n(.*?)```\n\n```text( generated)?\n(.*?)```", text, re.DOTALL
    )
    assert len(found) == text.count("```bash"), "each block shows what comes of it"
    return [Block(command, shown, bool(kind)) for command, kind, shown in found]


def typed(blocks: list[Block], folder: Path) -> list[str]:
    """What the blocks print."""
    shutil.copytree(DOCS, folder / "docs")
    script = "set -e\n" + "".join(
        f"{block.command}echo '{END_OF_BLOCK}'\n" for block in blocks
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


@pytest.mark.pages
@pytest.mark.timeout(480)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page(page: Path, tmp_path: Path) -> None:
    blocks = blocks_of(page)
    for block, real in zip(blocks, typed(blocks, tmp_path), strict=True):
        if block.is_generated:
            assert real.strip(), block.command
        else:
            assert NUMBER.sub("#", real) == NUMBER.sub("#", block.shown), block.command
        promised, found = accuracy(block.shown), accuracy(real)
        if promised and found:
            assert promised[1] <= found[0] <= promised[2]


def accuracy(text: str) -> tuple[float, float, float] | None:
    """Share right in the exam of a tutorial, and the ends of its interval."""
    found = re.search(r"^test: ([\d.]+) \[([\d.]+), ([\d.]+)\], \d+ cases$", text, re.M)
    if found is None:
        return None
    value, low, high = (float(one) for one in found.groups())
    return value, low, high


def test_there_are_pages_to_run() -> None:
    assert {page.stem for page in PAGES} >= {
        "dialogue",
        "fact-checking",
        "question-answering",
        "sentiment",
        "summarization",
        "support",
    }
    assert all(blocks_of(page) for page in PAGES)
