"""The page on fact-checking does what it says, from the first block to the last."""

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


@pytest.mark.timeout(240)
def test_the_page_on_fact_checking(tmp_path: Path) -> None:
    page = (SCENARIOS / "fact-checking.md").read_text(encoding="utf-8")
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
    assert printed == [shown for _, shown in blocks]
