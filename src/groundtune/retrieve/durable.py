"""What LanceDB leaves to its user: fsync, repair of a torn head, errors with a remedy.

LanceDB commits by renaming a manifest into place and never calls fsync, so a power cut
may take what was acknowledged, or leave an empty manifest at the head of the table. The
`Barrier` makes a commit durable before it is acknowledged; `quarantine_head` puts an
unreadable head aside. What the tables hold is not known here.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from groundtune.core.errors import StoreError
from groundtune.store.files import explained, sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_NEWEST_FIRST = (1 << 64) - 1
"""Manifests are named by this number minus their version, so that they sort so."""

_FULL = (
    "No space left",
    "os error 28",
    "os error 27",
    "os error 122",
    "File too large",
)


@contextmanager
def engine_errors(where: Path) -> Generator[None]:
    """Turn whatever the database engine raises into a StoreError.

    Raises:
        StoreError: The disk is full, a file is damaged, or the like.
    """
    try:
        yield
    except StoreError:
        raise
    except (RuntimeError, OSError, ValueError) as error:
        raise _as_store_error(error, where) from error
    except BaseException as error:
        # A panic in the engine's Rust code comes as a BaseException of its own.
        if type(error).__name__ == "PanicException":
            raise _as_store_error(error, where) from error
        raise


def _as_store_error(error: BaseException, where: Path) -> StoreError:
    message = str(error)
    if any(mark in message for mark in _FULL):
        return StoreError(
            "the disk is full, or a file grew past its limit; what was there is kept",
            fix="free disk space, then run the same command again",
            where=str(where),
        )
    first = message.strip().splitlines()[0] if message.strip() else type(error).__name__
    return StoreError(
        f"the knowledge base cannot be used: {first[:300]}",
        fix="restore the folder from a copy, or delete it and ingest again",
        where=str(where),
    )


class Barrier:
    """Makes the files below a folder durable.

    The engine writes each file once and never changes it, so each is synced once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # Starts empty: files of a commit that was never acknowledged count as new.
        self._synced: set[Path] = set()

    def sync(self) -> None:
        """Sync every file that is new, then the folders that name them.

        Raises:
            StoreError: The disk refused.
        """
        folders = {self._root.parent, self._root}
        found: set[Path] = set()
        with explained(self._root):
            for file in self._root.rglob("*"):
                if file.is_dir():
                    if file not in self._synced:
                        folders |= {file, file.parent}
                    found.add(file)
                    continue
                found.add(file)
                if file not in self._synced:
                    sync_file(file)
                    folders.add(file.parent)
            for folder in sorted(folders):
                sync_folder(folder)
        self._synced = found


def quarantine_head(table: Path, *, acknowledged: int) -> str:
    """Rename the newest manifest of a table away; an older version then opens.

    Only a version that was never acknowledged is put aside. Nothing is deleted.

    Args:
        table: The table's folder.
        acknowledged: Newest version that a writer reported as durable.

    Returns:
        Name of the manifest that was put aside; empty where that would lose
        acknowledged work, or where there is none.
    """
    versions = table / "_versions"
    if not versions.is_dir():
        return ""
    heads = sorted(
        path
        for path in versions.glob("*.manifest")
        if path.stem.isdigit() and len(path.stem) == len(str(_NEWEST_FIRST))
    )
    if not heads or _NEWEST_FIRST - int(heads[0].stem) <= acknowledged:
        return ""
    with explained(table):
        heads[0].rename(heads[0].with_suffix(".manifest.quarantined"))
        for hint in versions.glob("latest_version_hint*"):
            hint.rename(hint.with_name(f"{hint.name}.quarantined"))
        sync_folder(versions)
    return heads[0].name
