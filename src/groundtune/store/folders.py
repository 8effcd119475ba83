"""Whole folders that appear at once: made aside, made durable, then renamed.

For what is built once and read often, such as a model in the cache. Single files
belong to `store.files`.
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from groundtune.core.errors import StoreError
from groundtune.core.protocols import silent
from groundtune.store.files import explained, sync_file, sync_folder, write_lock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from groundtune.core.protocols import Progress

_WAIT_SECONDS = 0.2


@contextmanager
def waiting_lock(path: Path, progress: Progress = silent) -> Generator[None]:
    """Hold the lock file `path`, waiting while another process makes the same thing.

    Raises:
        StoreError: The lock file cannot be written.
    """
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(write_lock(path))
                break
            except StoreError as error:
                if not isinstance(error.__cause__, BlockingIOError):
                    raise
                progress("wait for another process", 0, None)
                time.sleep(_WAIT_SECONDS)
        yield


def publish_folder(made: Path, target: Path) -> None:
    """Put a finished folder in place: a crash leaves all of it or nothing.

    Raises:
        StoreError: It cannot be written.
    """
    with explained(target):
        for file in made.rglob("*"):
            if file.is_file():
                sync_file(file)
        for folder in [made, *(p for p in made.rglob("*") if p.is_dir())]:
            sync_folder(folder)
        remove_folder(target)
        made.rename(target)
        sync_folder(target.parent)


def remove_folder(folder: Path) -> None:
    """Delete a folder and all in it, if it is there.

    Raises:
        StoreError: It cannot be deleted.
    """
    with explained(folder):
        if folder.exists():
            shutil.rmtree(folder)
