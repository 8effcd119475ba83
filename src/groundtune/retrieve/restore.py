"""Putting a backup or a tag back: a new knowledge base, or the one that is there.

A base that is there gets the tables of the snapshot beside its own, and serves its own
until kb.json names the others, as in `rebuild`.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import StoreError
from groundtune.core.fingerprint import file_sha256
from groundtune.core.protocols import silent
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.ledger import file_sums, ledger_line
from groundtune.retrieve.rebuild import next_tables
from groundtune.retrieve.snapshot import (
    BESIDE,
    FOLDERS_BESIDE,
    Snapshot,
    check_opens,
    compare_file,
    described,
    noted_files,
    place_file,
    read_contents,
    require_free,
)
from groundtune.retrieve.stamp import LEDGER, LOCK, STAMP, read_stamp
from groundtune.retrieve.states import read_states, write_states
from groundtune.store.files import (
    JsonLinesLog,
    explained,
    sync_folder,
    write_atomic,
    write_json,
    write_lock,
)
from groundtune.store.folders import publish_folder, remove_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundtune.core.protocols import Progress


def restore(
    snapshot: Path, to: Path, *, replace_base: bool = False, progress: Progress = silent
) -> Snapshot:
    """Make a knowledge base, or put one back, from a backup or a tag.

    Args:
        snapshot: The folder that `backup` made, or that of a tag.
        to: A new folder, or a knowledge base.
        replace_base: Whether a knowledge base at `to` may be put back. Until the last
            step the one that is there stays in service.
        progress: Told of each file.

    Raises:
        StoreError: A file of the backup is damaged, `to` is in the way, or the disk
            refuses. What is at `to` stays as it is.
    """
    contents = read_contents(snapshot)
    files = noted_files(contents)
    for done, (name, expected) in enumerate(files.items(), start=1):
        compare_file(snapshot / name, expected)
        progress("check the backup", done, len(files))
    if (to / STAMP).exists():
        if not replace_base:
            raise StoreError(
                "a knowledge base is here already",
                fix="name a new folder, or put this one back with --yes",
                where=str(to),
            )
        _put_back(snapshot, to, contents)
        return described(to, contents)
    require_free(to)
    made = to.with_name(f".{to.name}.new")
    with explained(to):
        remove_folder(made)
        for name in files:
            place_file(snapshot / name, made / name, copy=shutil.copyfile)
        (made / "documents").mkdir(exist_ok=True)
    check_opens(made, contents)
    publish_folder(made, to)
    return described(to, contents)


def _put_back(snapshot: Path, to: Path, contents: Mapping[str, Any]) -> None:
    """Take over the tables of a snapshot beside those in service, then switch."""
    stamp = read_stamp(snapshot)
    with write_lock(to / LOCK), explained(to):
        after = replace(stamp, tables=next_tables(to))
        source, target = snapshot / stamp.tables, to / after.tables
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            place_file(file, target / file.relative_to(source), copy=shutil.copyfile)
        for folder in [target, *(p for p in target.rglob("*") if p.is_dir())]:
            sync_folder(folder)
        for file in (snapshot / "documents").iterdir():
            if _is_there(to / "documents" / file.name):
                continue
            place_file(file, to / "documents" / file.name, copy=shutil.copyfile)
        sync_folder(to / "documents")
        sync_folder(to)
        known = KnowledgeBase.open(snapshot)
        sums = file_sums(target, (p for p in target.rglob("*") if p.is_file()))
        log = JsonLinesLog(to / LEDGER)
        try:
            log.append(ledger_line(after.tables, known.version, sums, documents=0))
        finally:
            log.close()
        check_opens(snapshot, contents)
        write_json(to / STAMP, asdict(after))
        write_states(to, read_states(snapshot).values())
        for name in BESIDE:
            if (snapshot / name).exists():
                write_atomic(to / name, (snapshot / name).read_bytes())
            else:
                (to / name).unlink(missing_ok=True)
        for name in FOLDERS_BESIDE:
            if not (snapshot / name).is_dir():
                remove_folder(to / name)
                continue
            made = to / f".{name}.new"
            remove_folder(made)
            shutil.copytree(snapshot / name, made)
            publish_folder(made, to / name)


def _is_there(text: Path) -> bool:
    """Whether a stored text stands whole under the name of its content."""
    try:
        return file_sha256(text) == text.stem
    except OSError:
        return False
