"""A world → a folder that a person could have made by hand."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import StoreError
from groundtune.store.files import read_json, write_atomic, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from groundtune.core.values import Document, QaCase
    from groundtune.data.worlds.make import Edit, World


def write_world(world: World, folder: Path) -> None:
    """Write documents and cases; the same world gives the same bytes.

    A folder that holds the same world already is brought up to date.

    Makes `docs/`, `edited/` and `new/` with Markdown files, and `train.jsonl`,
    `dev.jsonl`, `test.jsonl` (all test splits), `test_seen.jsonl`, `test_unseen.jsonl`,
    `unanswerable.jsonl`, `controls.jsonl`, `edits.jsonl` (cases with `old_answers`),
    `new.jsonl` and `world.json` (seed, counts, base rates).

    Raises:
        StoreError: The folder cannot be written, or holds another world.
    """
    about = {
        "seed": world.seed,
        "size": dataclasses.asdict(world.size),
        "documents": len(world.documents),
        "train": len(world.train),
        "test": len(world.test),
        "base_rates": world.base_rates(),
    }
    mark = folder / "world.json"
    if mark.exists() and read_json(mark) != about:
        raise StoreError(
            "the folder holds another world",
            fix="write into an empty folder",
            where=str(folder),
        )
    write_json(mark, about)
    _write_documents(world.documents, folder / "docs")
    _write_documents(world.edited_documents, folder / "edited")
    _write_documents(world.new_documents, folder / "new")
    for name in (
        "train",
        "dev",
        "test",
        "test_seen",
        "test_unseen",
        "unanswerable",
        "controls",
    ):
        cases: tuple[QaCase, ...] = getattr(world, name)
        _write_lines(map(dataclasses.asdict, cases), folder / f"{name}.jsonl")
    _write_lines(map(_edit_fields, world.edits), folder / "edits.jsonl")
    _write_lines(map(dataclasses.asdict, world.new_cases), folder / "new.jsonl")


def _write_documents(documents: Iterable[Document], folder: Path) -> None:
    for document in documents:
        write_atomic(folder / document.id, document.text)


def _write_lines(values: Iterable[dict[str, Any]], path: Path) -> None:
    lines = (json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    write_atomic(path, "".join(lines))


def _edit_fields(edit: Edit) -> dict[str, Any]:
    return dataclasses.asdict(edit.case) | {"old_answers": edit.old_answers}
