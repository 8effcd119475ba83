"""Cases of a run, frozen: written once as JSON Lines and read back as they were.

Unlike `labelled`, nothing is inferred: a line holds the fields of the case by name.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from groundtune.core.errors import DataError
from groundtune.core.values import EntityCase, LabelCase
from groundtune.store.files import read_json_lines, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_Case = TypeVar("_Case", LabelCase, EntityCase)


def write_frozen(path: Path, cases: Sequence[LabelCase | EntityCase]) -> None:
    """Write cases, one a line.

    Raises:
        StoreError: They cannot be written.
    """
    lines = [json.dumps(asdict(case), ensure_ascii=False) + "\n" for case in cases]
    write_atomic(path, "".join(lines))


def read_frozen(path: Path, kind: type[_Case]) -> list[_Case]:
    """Read cases of one kind back.

    Raises:
        DataError: The file is gone, or a line is no such case.
    """
    if not path.is_file():
        raise DataError(
            "the frozen cases are gone",
            fix="run the comparison again in a new folder",
            where=str(path),
        )
    known = {field.name for field in fields(kind)}
    cases: list[_Case] = []
    for number, raw in enumerate(read_json_lines(path), start=1):
        if raw.keys() != known:
            raise DataError(
                f"not a {kind.__name__}: its fields are {', '.join(sorted(raw))}",
                fix="run the comparison again in a new folder",
                where=f"{path}:{number}",
            )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in raw.items()
        }
        cases.append(kind(**values))
    return cases
