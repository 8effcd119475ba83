"""Writes to a knowledge base until it is killed. Run by `test_crash.py`.

Usage: child_updates.py KB MODE, where MODE is `forever` or a byte limit for files.
"""

from __future__ import annotations

import resource
import runpy
import sys
from itertools import count
from pathlib import Path
from typing import Any

from groundtune.core.errors import StoreError

shared: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("conftest.py")))

NAMES = [f"doc-{number}" for number in range(5)]


def wording(name: str, version: int) -> list[str]:
    """Paragraphs of one version; each passage names its version."""
    return [
        f"{name} in version {version}, part {part}, says that the lamp of {name} "
        f"burns {version * 7 + part} hours before somebody fills it with oil."
        for part in range(4)
    ]


def documents(version: int) -> list[Any]:
    return [shared["make_document"](name, *wording(name, version)) for name in NAMES]


def main(path: Path, mode: str) -> None:
    base = shared["open_base"](path)
    if mode != "forever":
        limit = int(mode)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        many = [
            shared["make_document"](f"new-{n}", *wording(f"new-{n}", 2))
            for n in range(100)
        ]
        try:
            base.update([*documents(2), *many], delete_missing=False)
        except StoreError as error:
            sys.stdout.write(str(error))
            sys.exit(error.exit_code)
        return
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for version in count(2):
        base.update(documents(version), delete_missing=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
