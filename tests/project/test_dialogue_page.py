"""The page on dialogue does what it says, from the first block to the last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).resolve().parents[2] / "docs" / "scenarios"
NUMBER = re.compile(r"-?\d+(\.\d+)?")
END_OF_BLOCK = "--- end of block ---"


def told(text: str) -> list[str]:
    """Lines that do not depend on what a generator says on this machine."""
    ours = (
        "> ",
        "(another topic",
        "first turns",
        "turns that need",
        "  ",
        "new topics",
    )
    return [NUMBER.sub("#", x) for x in text.splitlines() if x.startswith(ours)]


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_the_page_on_dialogue(tmp_path: Path) -> None:
    page = (SCENARIOS / "dialogue.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == page.count("```bash"), "each shows what comes"
    shutil.copytree(SCENARIOS, tmp_path / "docs" / "scenarios")
    script = "set -e\n" + "".join(
        f"{command}echo '{END_OF_BLOCK}'\n" for command, _ in blocks
    )
    ours = dict(os.environ)  # noqa: TID251 (a person's own shell)

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
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
    printed = done.stdout.split(f"{END_OF_BLOCK}\n")[:-1]
    assert [told(text) for text in printed] == [told(text) for _, text in blocks]
    assert "going on after 4 turns" in done.stderr
