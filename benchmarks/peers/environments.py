"""A pinned virtual environment for each library that groundtune is measured against.

Their requirements contradict each other and ours, so each has its own. `NAME.in` says
what is wanted, `NAME.txt` pins everything that comes with it. To pin anew:

    uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header \
        --no-annotate NAME.in --output-file NAME.txt

and take out what the Makefile lists in NOT_LOCKED: parts of other builds of torch.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PEERS = ("llamaindex", "haystack", "txtai")

_HERE = Path(__file__).resolve().parent
_STAMP = "requirements.txt"
_SECONDS = 1800
"""For one step of an installation."""


def interpreter(peer: str, *, root: Path) -> Path:
    """Python of a peer's environment, which is made where it is missing or outdated.

    Args:
        peer: One of `PEERS`, or another that has its `NAME.txt` here.
        root: Folder of all environments.

    Raises:
        SystemExit: It could not be installed; says which command failed and why.
    """
    requirements = _HERE / f"{peer}.txt"
    pins = requirements.read_text(encoding="utf-8")
    folder = root / peer
    python = folder / "bin" / "python"
    stamp = folder / _STAMP
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == pins:
        return python
    print(f"{peer}: making {folder} (once)", file=sys.stderr)
    root.mkdir(parents=True, exist_ok=True)
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv") or "uv"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    torch = next(line for line in pins.splitlines() if line.startswith("torch=="))
    pinned = ["--no-deps", "-r", str(requirements)]
    # nltk, which LlamaIndex brings, refuses data files that are hard links.
    copied = ["--quiet", "--link-mode", "copy"]
    # As in the Makefile: which build of torch is left to pip's configuration, and where
    # only pip knows the index, pip installs the rest as well.
    steps = (
        [[uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]],
        [[*pip, torch]],
        [
            [uv, "pip", "install", *copied, "--python", str(python), *pinned],
            [*pip, *pinned],
        ],
    )
    for ways in steps:
        _run_one_of(ways, peer=peer)
    stamp.write_text(pins, encoding="utf-8")
    return python


def _run_one_of(ways: Sequence[list[str]], *, peer: str) -> None:
    """Run the first command that works."""
    problems: list[str] = []
    for command in ways:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            problems.append(f"{shlex.join(command)}\n{error}")
            continue
        if done.returncode == 0:
            return
        said = (done.stderr or done.stdout).strip().splitlines()[-8:]
        problems.append("\n".join([shlex.join(command), *said]))
    # Those of training have no others to take their place.
    others = ",".join(name for name in PEERS if name != peer and peer in PEERS)
    raise SystemExit(
        f"{peer}: its environment could not be made\n\n"
        + "\n\n".join(problems)
        + "\n\n  fix: connect to the package index once (make setup brings uv and pip)"
        + (f",\n  or measure against the others: --peers {others}" if others else "")
    )
