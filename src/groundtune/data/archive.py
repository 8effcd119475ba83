"""Formats that are ZIP archives: checked as a whole before anything is unpacked.

Nothing is ever written to disk, archives inside an archive are not opened, and only the
parts that a reader names are unpacked, each up to the size that the directory declares.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.data.safe_xml import check_prolog, parse_xml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

_MAX_PARTS = 20_000
_MAX_BYTES = 256 << 20
"""Unpacked, all parts together."""
_MAX_RATIO = 250
"""Unpacked to packed size of a part above a mebibyte; text seldom reaches 30."""
_SMALL = 1 << 20
_LOCAL_HEADER_BYTES = 30
_SYMLINK_SYSTEM = 3
"""Made on Unix, so that the upper half of the attributes holds a file mode."""


class Archive:
    """An archive whose directory has been found harmless."""

    def __init__(self, raw: bytes, *, where: str) -> None:
        """Check the directory of an archive.

        Raises:
            DataError: It is no archive, damaged, encrypted, or made to do harm.
        """
        self.where = where
        self._raw = raw
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(raw))
        except (zipfile.BadZipFile, ValueError, RuntimeError) as error:
            raise _damaged(str(error), where=where) from error
        parts = self._zip.infolist()
        _check_size(parts, where=where)
        for part in parts:
            _check_part(part, where=where)
        _check_overlap(parts, where=where)
        self._parts = {part.filename: part for part in parts}
        if len(self._parts) != len(parts):
            raise _hostile("two parts of one name", where=where)

    @property
    def names(self) -> Sequence[str]:
        """Names of all parts."""
        return list(self._parts)

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def read(self, name: str) -> bytes:
        """Unpack one part.

        Raises:
            DataError: It is missing or damaged.
        """
        part = self._parts.get(name)
        if part is None:
            raise _damaged(f"{name!r} is missing in it", where=self.where)
        try:
            # It stops at the declared size, and a wrong checksum is an error.
            return self._zip.read(part)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            ValueError,
            OSError,
        ) as error:
            problem = f"{name!r} in it is damaged: {error}"
            raise _damaged(problem, where=self.where) from error

    def xml(self, name: str) -> Element:
        """Unpack and parse a part that is XML.

        Raises:
            DataError: It is missing, damaged, or has a document type declaration.
        """
        return parse_xml(self.read(name), where=f"{self.where}: {name}")

    def check_all_xml(self) -> None:
        """Refuse document types in every XML part, for a parser that is not ours.

        Raises:
            DataError: One has a document type declaration or is no XML.
        """
        for name in self._parts:
            if name.lower().endswith((".xml", ".rels")):
                part = io.BytesIO(self.read(name))
                check_prolog(part, where=f"{self.where}: {name}")


def _check_size(parts: Sequence[zipfile.ZipInfo], *, where: str) -> None:
    if len(parts) > _MAX_PARTS:
        raise _hostile(f"{len(parts)} parts, at most {_MAX_PARTS} are read", where)
    total = sum(part.file_size for part in parts)
    if total > _MAX_BYTES:
        problem = f"unpacks to {total >> 20} MiB, at most {_MAX_BYTES >> 20} are read"
        raise _hostile(problem, where)


def _check_part(part: zipfile.ZipInfo, *, where: str) -> None:
    name = part.filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        raise _hostile(f"a part named {name!r}, which leads out of it", where)
    if part.create_system == _SYMLINK_SYSTEM and stat.S_ISLNK(part.external_attr >> 16):
        raise _hostile(f"the part {name!r} is a link", where)
    if part.flag_bits & 1:
        raise DataError(
            "encrypted: a password is needed to read it",
            fix="save a copy without a password",
            where=where,
        )
    if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise _hostile(f"the part {name!r} is packed in an unusual way", where)
    if part.file_size > max(_SMALL, _MAX_RATIO * part.compress_size):
        raise _hostile(
            f"the part {name!r} unpacks from {part.compress_size} to "
            f"{part.file_size} bytes",
            where,
        )


def _check_overlap(parts: Sequence[zipfile.ZipInfo], *, where: str) -> None:
    """Parts that share bytes let a small file unpack to a huge one."""
    in_order = sorted(parts, key=lambda part: part.header_offset)
    for part, following in pairwise(in_order):
        end = part.header_offset + _LOCAL_HEADER_BYTES + part.compress_size
        if end > following.header_offset:
            raise _hostile("parts that overlap", where)


def _hostile(what: str, where: str) -> DataError:
    return DataError(
        f"not read, because it looks made to do harm: {what}",
        fix="leave this file out, or save it again with the program that made it",
        where=where,
    )


def _damaged(what: str, where: str) -> DataError:
    return DataError(
        f"a damaged file: {what}",
        fix="fetch it again, or save it again with the program that made it",
        where=where,
    )
