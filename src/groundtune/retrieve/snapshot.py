"""One version of a knowledge base as a folder of its own: backups and tags.

A snapshot is itself a knowledge base. A backup is a copy; a tag is made of hard links,
which cost next to nothing because the engine never changes a file. So no clean-up and
no rebuild can take away what a tag names. Nobody has to stop writing.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.core.fingerprint import file_sha256
from groundtune.core.protocols import silent
from groundtune.retrieve.durable import manifest_path
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.ledger import (
    FIRST_TABLES,
    FileSum,
    file_sums,
    ledger_line,
    ledger_text,
)
from groundtune.retrieve.query_adapter import QUERY_ADAPTERS
from groundtune.retrieve.settings import SETTINGS
from groundtune.retrieve.stamp import LEDGER, STAMP, TABLE
from groundtune.retrieve.states import read_states, write_states
from groundtune.retrieve.vector_index import FIGURES
from groundtune.store.files import (
    explained,
    read_json,
    sync_file,
    write_atomic,
    write_json,
)
from groundtune.store.folders import publish_folder, remove_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from groundtune.core.protocols import Progress

    Copy = Callable[[Path, Path], object]

CONTENTS, TAGS = "backup.json", "tags"

EMBEDDER = "embedder"
"""Folder with the model that was tuned for a knowledge base, where one was."""
BESIDE = (SETTINGS, FIGURES)
"""Files that stand beside the tables and belong to a version."""
FOLDERS_BESIDE = (EMBEDDER, QUERY_ADAPTERS)
"""Folders that do."""
_TAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRIES = 3
"""A writer may clean up what is just being copied; then a newer version is taken."""


class Snapshot(NamedTuple):
    """What a snapshot holds."""

    path: Path
    version: int
    documents: int
    passages: int
    bytes: int


class _MovedOnError(Exception):
    """Files of the version were cleaned up while they were copied."""


def backup(kb: KnowledgeBase, to: Path, *, progress: Progress = silent) -> Snapshot:
    """Copy a version to a new folder, every file compared with its hash.

    Raises:
        StoreError: `to` exists, a file is damaged, or the disk refuses. Then nothing
            stands at `to`.
    """
    return _snapshot(kb, to, copy=shutil.copyfile, progress=progress)


def tag(kb: KnowledgeBase, name: str, *, progress: Progress = silent) -> Snapshot:
    """Keep the version that `kb` sees under a name.

    Raises:
        ConfigError: The name has other signs than letters, digits, `.`, `_` and `-`.
        StoreError: The name is taken, or the disk refuses.
    """
    if not _TAG_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a tag",
            fix="use letters, digits, '.', '_' and '-'",
            where="tag",
        )
    return _snapshot(kb, kb.path / TAGS / name, copy=_link, progress=progress)


def tags(path: Path) -> dict[str, Snapshot]:
    """The tags of a knowledge base, by name.

    Raises:
        StoreError: One of them is damaged.
    """
    folder = path / TAGS
    names = sorted(p.name for p in folder.glob("[!.]*")) if folder.is_dir() else []
    return {
        name: described(folder / name, read_contents(folder / name)) for name in names
    }


def untag(path: Path, name: str) -> None:
    """Let a tag go; the versions that others see stay.

    Raises:
        StoreError: There is none of this name.
    """
    folder = path / TAGS / name
    if not _TAG_NAME.fullmatch(name) or not folder.is_dir():
        raise StoreError(
            f"no tag {name!r}",
            fix=f"groundtune kb tags {path} lists them",
            where=str(path),
        )
    remove_folder(folder)


def _snapshot(
    kb: KnowledgeBase, to: Path, *, copy: Copy, progress: Progress
) -> Snapshot:
    require_free(to)
    made = to.with_name(f".{to.name}.{os.getpid()}.new")
    tries = 0
    while True:
        try:
            with explained(to):
                remove_folder(made)
                contents = _write(kb, made, copy=copy, progress=progress)
            break
        except _MovedOnError as error:
            tries += 1
            if tries == _TRIES:
                raise StoreError(
                    "it was changed faster than it could be copied",
                    fix="run the command again when nobody writes",
                    where=str(kb.path),
                ) from error
            kb.refresh()
        finally:
            if tries == _TRIES:
                remove_folder(made)
    try:
        check_opens(made, contents)
        publish_folder(made, to)
    except BaseException:
        remove_folder(made)
        raise
    return described(to, contents)


def _write(
    kb: KnowledgeBase, made: Path, *, copy: Copy, progress: Progress
) -> dict[str, Any]:
    """Fill a folder with one version; return what is in it."""
    root = made / FIRST_TABLES
    _copy_tables(kb, root, copy=copy, progress=progress)
    _copy_texts(kb, made / "documents", copy=copy, progress=progress)
    sums = file_sums(root, (p for p in root.rglob("*") if p.is_file()))
    line = ledger_line(FIRST_TABLES, kb.version, sums, documents=0)
    write_atomic(made / LEDGER, ledger_text([line]))
    write_json(made / STAMP, asdict(replace(kb.stamp, tables=FIRST_TABLES)))
    kept = {known.id: known.content for known in kb.documents()}
    states = read_states(kb.path).values()
    write_states(made, (s for s in states if kept.get(s.document) == s.content))
    for name in BESIDE:
        if (kb.path / name).exists():
            shutil.copyfile(kb.path / name, made / name)
    for folder in FOLDERS_BESIDE:
        for file in (kb.path / folder).rglob("*"):
            if file.is_file():
                place_file(file, made / file.relative_to(kb.path), copy=copy)
    contents: dict[str, Any] = {
        "version": kb.version,
        "documents": len(kb.documents()),
        "passages": kb.count,
        "files": {
            file.relative_to(made).as_posix(): [file.stat().st_size, file_sha256(file)]
            for file in sorted(made.rglob("*"))
            if file.is_file()
        },
    }
    write_json(made / CONTENTS, contents)
    return contents


def _copy_tables(
    kb: KnowledgeBase, root: Path, *, copy: Copy, progress: Progress
) -> None:
    wanted = _table_files(kb)
    for done, (name, expected) in enumerate(wanted.items(), start=1):
        try:
            place_file(kb.tables / name, root / name, copy=copy)
        except FileNotFoundError:
            # Gone with an older version; that this one is whole is checked below.
            continue
        if expected is not None:
            compare_file(root / name, expected)
        progress("copy tables", done, len(wanted))
    if not manifest_path(root / f"{TABLE}.lance", kb.version).exists():
        raise _MovedOnError


def _copy_texts(
    kb: KnowledgeBase, folder: Path, *, copy: Copy, progress: Progress
) -> None:
    folder.mkdir(parents=True)
    texts = sorted({known.content for known in kb.documents()})
    for done, content in enumerate(texts, start=1):
        target = folder / f"{content}.json"
        try:
            place_file(kb.blob_path(content), target, copy=copy)
        except FileNotFoundError as error:
            raise _MovedOnError from error
        if file_sha256(target) != content:
            raise _damaged(kb.blob_path(content))
        progress("copy texts", done, len(texts))


def _table_files(kb: KnowledgeBase) -> dict[str, FileSum | None]:
    """Files that the version of `kb` may need, with what the ledger says of them."""
    head = manifest_path(kb.tables / f"{TABLE}.lance", kb.version).name
    noted = kb.acknowledged_files()
    index = set(kb.index_files())
    found: dict[str, FileSum | None] = {}
    for file in sorted(kb.tables.rglob("*")):
        name = file.relative_to(kb.tables).as_posix()
        kind = name.split("/")[1] if name.count("/") > 1 else ""
        is_other_version = kind == "_versions" and file.name != head
        is_old_index = kind == "_indices" and name in noted and name not in index
        if file.is_file() and not is_other_version and not is_old_index:
            found[name] = noted.get(name)
    return found


def check_opens(made: Path, contents: Mapping[str, Any]) -> None:
    """A snapshot is whole if it opens and every row of it can be read.

    Raises:
        StoreError: It does not.
    """
    base = KnowledgeBase.open(made)
    rows = sum(batch.num_rows for batch in base.scan(["id", "seal", "vector"]))
    if [rows, len(base.documents())] != [contents["passages"], contents["documents"]]:
        raise _damaged(made)


def require_free(to: Path) -> None:
    """Refuse a place where something is.

    Raises:
        StoreError: It is taken.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise StoreError(
            "something is here already", fix="name a new folder", where=str(to)
        )


def place_file(source: Path, target: Path, *, copy: Copy) -> None:
    """Copy or link a file, durable but for its folder.

    A file that is there stays until the new one is whole: it may be in service.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    copy(source, part)
    sync_file(part)
    part.replace(target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        # A file system without hard links.
        shutil.copyfile(source, target)


def compare_file(file: Path, expected: FileSum) -> None:
    """Compare a file with what was noted of it.

    Raises:
        StoreError: It is missing or another.
    """
    try:
        found = FileSum(file.stat().st_size, file_sha256(file))
    except OSError as error:
        raise _damaged(file) from error
    if found != expected:
        raise _damaged(file)


def _damaged(file: Path) -> StoreError:
    return StoreError(
        "a file is missing, or is not what was written",
        fix="check the disk; use another backup, or see `groundtune kb verify`",
        where=str(file),
    )


def read_contents(snapshot: Path) -> dict[str, Any]:
    """What a snapshot says that it holds.

    Raises:
        StoreError: It is none, or it is damaged.
    """
    try:
        raw = read_json(snapshot / CONTENTS)
        counts = [int(raw[name]) for name in ("version", "documents", "passages")]
        names = [str(name) for name in raw["files"]]
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            "no backup here, or its list of files is damaged",
            fix="name the folder that `groundtune kb backup` made",
            where=str(snapshot),
        ) from error
    # A list that was tampered with must not reach outside.
    if min(counts) < 0 or any(".." in n.split("/") or n.startswith("/") for n in names):
        raise _damaged(snapshot / CONTENTS)
    return raw


def noted_files(contents: Mapping[str, Any]) -> dict[str, FileSum]:
    """The files of a snapshot."""
    files: Mapping[str, list[Any]] = contents["files"]
    return {name: FileSum(int(a), str(b)) for name, (a, b) in files.items()}


def described(path: Path, contents: Mapping[str, Any]) -> Snapshot:
    """What a person is told of a snapshot."""
    return Snapshot(
        path,
        int(contents["version"]),
        int(contents["documents"]),
        int(contents["passages"]),
        sum(found.size for found in noted_files(contents).values()),
    )
