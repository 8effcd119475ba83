"""What LanceDB leaves to its user: fsync, repair of a torn head, errors with a remedy.

LanceDB commits by renaming a manifest into place and never calls fsync, so a power cut
may take what was acknowledged, or leave a head of the table whose files are missing or
empty. The `Barrier` makes a commit durable before it is acknowledged; `put_aside` takes
a head away that never was. What the tables hold is not known here.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from groundtune.core.errors import StoreError
from groundtune.store.files import explained, sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

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
        # A panic in the engine's Rust code comes as a class of its own, one where it
        # is called and another where it is awaited; neither can be imported.
        if type(error).__name__ in {"PanicException", "RustPanic"}:
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
        fix="see what is left with `groundtune kb verify`, then `groundtune kb "
        "rebuild` or `groundtune kb restore`",
        where=str(where),
    )


class Barrier:
    """Makes the files below a folder durable.

    The engine writes each file once and never changes it, so each is synced once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # Starts empty: files of a commit that was never acknowledged count as new.
        # Names as text, because a large table has tens of thousands.
        self._synced: set[str] = set()

    def trust(self, files: Iterable[Path]) -> None:
        """Take these files for durable: the ledger says so."""
        self._synced.update(map(str, files))

    def sync(self) -> list[Path]:
        """Sync every file that is new, then the folders that name them.

        Returns:
            The new files.

        Raises:
            StoreError: The disk refused.
        """
        folders = {self._root.parent, self._root}
        found: set[str] = set()
        new: list[Path] = []
        with explained(self._root):
            for place, _, files in os.walk(self._root):
                here = Path(place)
                paths = [os.path.join(place, name) for name in files]  # noqa: PTH118 (many)
                fresh = [path for path in paths if path not in self._synced]
                for path in fresh:
                    sync_file(Path(path))
                if fresh or place not in self._synced:
                    folders |= {here, here.parent}
                new += map(Path, fresh)
                found.update(paths, [place])
            for folder in sorted(folders):
                sync_folder(folder)
        # A hint on the newest version is the one file that is written again.
        self._synced = {path for path in found if "latest_version_hint" not in path}
        return sorted(new)


def manifest_path(table: Path, version: int) -> Path:
    """The file that makes a version of a table what it is."""
    return table / "_versions" / f"{_NEWEST_FIRST - version:020d}.manifest"


def _heads(versions: Path) -> list[Path]:
    """Manifests, the newest first."""
    return sorted(
        path
        for path in versions.glob("*.manifest")
        if path.stem.isdigit() and len(path.stem) == len(str(_NEWEST_FIRST))
    )


def put_aside(table: Path, *, above: int, most: int = 1 << 62) -> list[str]:
    """Rename the manifests of versions that nobody acknowledged; older ones then count.

    After a power cut such a version may open and still miss files. Nothing is deleted.

    Args:
        table: The table's folder.
        above: Newest version that a writer reported as durable; if it is not there,
            nothing is done.
        most: How many to put aside, the newest first.

    Returns:
        Names of the manifests.
    """
    versions = table / "_versions"
    if not manifest_path(table, above).exists():
        # What was acknowledged is gone: nothing better than the head is left.
        return []
    heads = [p for p in _heads(versions) if _NEWEST_FIRST - int(p.stem) > above]
    with explained(table):
        for head in heads[:most]:
            head.rename(head.with_suffix(".manifest.quarantined"))
        if heads:
            for hint in versions.glob("latest_version_hint*"):
                hint.unlink()
            sync_folder(versions)
    return [head.name for head in heads[:most]]
