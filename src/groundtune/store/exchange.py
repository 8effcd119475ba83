"""Two folders that change places in one step."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

from groundtune.store.files import explained, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NOT_THERE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


def exchange_folders(one: Path, other: Path) -> None:
    """Let two folders beside each other change their names.

    Atomic where the system and its file system can do that, as Linux on ext4, xfs and
    btrfs; else three renames, between which `other` is missing for a moment.

    Raises:
        StoreError: The system refused; both are as they were.
    """
    with explained(other):
        if not _exchange_at_once(one, other):
            aside = other.with_name(f".{other.name}.aside")
            other.rename(aside)
            try:
                one.rename(other)
            except OSError:
                aside.rename(other)
                raise
            aside.rename(one)
        for parent in {one.parent, other.parent}:
            sync_folder(parent)


def _exchange_at_once(one: Path, other: Path) -> bool:
    """Whether it was done; False where the system has no such call."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    failed = rename(
        _AT_FDCWD,
        os.fsencode(one),
        _AT_FDCWD,
        os.fsencode(other),
        ctypes.c_uint(_RENAME_EXCHANGE),
    )
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in _NOT_THERE:
        return False
    raise OSError(code, os.strerror(code))
