"""Where documents come from: which files a folder, glob, checkout, list or map names.

Only names are found here; nothing is parsed as a document, and nothing is fetched.
"""

from __future__ import annotations

import glob
import hashlib
import os
import posixpath
import struct
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from groundtune.core.errors import DataError
from groundtune.data.metadata import iso_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

_MODE_AT, _HASH_AT = 24, 40
"""In an entry of git's index, whose flags and name follow the hash."""
_REGULAR, _SYMLINK = 0o10, 0o12
_EXTENDED = 0x4000
_SITEMAP_BYTES = 50 << 20
"""What the sitemap protocol allows."""


class SourceFile(NamedTuple):
    """A file to read, and the folder that its document's id is relative to."""

    path: Path
    root: Path
    metadata: tuple[tuple[str, str], ...] = ()
    """What the source says of it, such as its address in a sitemap."""

    @property
    def name(self) -> str:
        """The id of its document: the path below `root`, with `/`."""
        return self.path.relative_to(self.root).as_posix()


def files_in(folder: Path) -> Iterator[Path]:
    """Files below a folder, in a git checkout the tracked ones only.

    Hidden files and folders are passed over, except where git tracks them.
    """
    index = git_index(folder)
    if index is not None:
        yield from tracked_files(folder, index)
    else:
        yield from _walk(folder)


def _walk(folder: Path) -> Iterator[Path]:
    """Files below `folder`; links to folders are not followed, so it ends."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not entry.is_symlink():
                yield from _walk(entry)
        elif entry.is_file():
            yield entry


def git_index(folder: Path) -> Path | None:
    """The index of the checkout whose top is `folder`; None if it is none."""
    marker = folder / ".git"
    if marker.is_file():
        # A worktree or a submodule names the folder of git elsewhere.
        line = marker.read_text(encoding="utf-8", errors="replace").strip()
        marker = folder / line.removeprefix("gitdir:").strip()
    index = marker / "index"
    return index if index.is_file() else None


def tracked_files(folder: Path, index: Path) -> Iterator[Path]:
    """The files that git tracks and that are there, in order of name.

    The index is read here rather than by `git ls-files`: the settings of a checkout can
    name programs, which git then runs.

    Raises:
        DataError: The index is damaged or of a version that we do not know.
    """
    inside = folder.resolve()
    for name in sorted(set(_index_names(index))):
        path = folder / name
        # A link may lead out of the checkout.
        if path.is_file() and path.resolve().is_relative_to(inside):
            yield path


def _index_names(index: Path) -> Iterator[str]:
    raw = index.read_bytes()
    damaged = DataError(
        "git's index cannot be read",
        fix="write it anew, for example: git update-index --no-split-index",
        where=str(index),
    )
    try:
        magic, version, count = struct.unpack_from(">4sII", raw)
        if magic != b"DIRC" or version not in {2, 3, 4}:
            raise damaged
        # A repository may have hashes of either size, and the file ends in one.
        is_long = hashlib.sha256(raw[:-32]).digest() == raw[-32:]
        flags_at = _HASH_AT + (32 if is_long else 20)
        at, name = 12, b""
        for _ in range(count):
            start = at
            (mode,) = struct.unpack_from(">I", raw, at + _MODE_AT)
            (flags,) = struct.unpack_from(">H", raw, at + flags_at)
            at += flags_at + (4 if flags & _EXTENDED else 2)
            if version == 4:
                kept, at = _shared_prefix(raw, at, len(name))
                end = raw.index(b"\0", at)
                name, at = name[:kept] + raw[at:end], end + 1
            else:
                end = raw.index(b"\0", at)
                name = raw[at:end]
                # Padded with one to eight NULs to a multiple of eight.
                at = start + (end - start + 8) // 8 * 8
            if mode >> 12 in {_REGULAR, _SYMLINK} and _stays_inside(name):
                yield os.fsdecode(name)
        if raw[at : at + 4] == b"link":
            # The rest of its entries stand in another file.
            raise damaged
    except (struct.error, ValueError, IndexError) as error:
        raise damaged from error


def _shared_prefix(raw: bytes, at: int, length: int) -> tuple[int, int]:
    """How much of the last name this one begins with, and where its rest stands."""
    value = raw[at] & 0x7F
    while raw[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (raw[at] & 0x7F)
    if value > length:
        msg = "more is cut off than there is"
        raise ValueError(msg)
    return length - value, at + 1


def _stays_inside(name: bytes) -> bool:
    parts = name.split(b"/")
    return not name.startswith(b"/") and b".." not in parts and b".git" not in parts


def is_pattern(path: Path) -> bool:
    """Whether a path that is not there is a pattern such as `docs/**/*.md`."""
    return glob.has_magic(str(path)) and not path.exists()


def matching_files(pattern: Path) -> list[SourceFile]:
    """Files that match; ids are relative to the part of the pattern without signs.

    Raises:
        DataError: None does.
    """
    root = pattern
    while glob.has_magic(str(root)):
        root = root.parent
    # Path.glob would look into hidden folders.
    names = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207
    found = [SourceFile(path, root) for path in map(Path, names) if path.is_file()]
    if not found:
        raise DataError(
            "no file matches",
            fix="check the pattern; ** stands for folders at any depth",
            where=str(pattern),
        )
    return found


def listed_paths(stream: TextIO) -> list[Path]:
    """Paths from a stream: one a line, or separated by NUL as `find -print0` does."""
    text = stream.read()
    entries = text.split("\0") if "\0" in text else text.splitlines()
    return [Path(entry) for entry in entries if entry.strip()]


def listed_files(paths: Sequence[Path]) -> list[SourceFile]:
    """Files named one by one; ids are relative to this folder, if it holds them all.

    Raises:
        DataError: One is missing, or none is named.
    """
    if not paths:
        raise DataError("the list of paths is empty", fix="name a file in each line")
    for path in paths:
        if not path.is_file():
            raise DataError("no such file", fix="check the list", where=str(path))
    whole = [Path(os.path.normpath(Path.cwd() / path)) for path in paths]
    root = Path.cwd()
    if not all(path.is_relative_to(root) for path in whole):
        root = Path(os.path.commonpath([path.parent for path in whole]))
    return [SourceFile(path, root) for path in whole]


def is_sitemap(path: Path) -> bool:
    """Whether a file is a sitemap or an index of sitemaps."""
    if path.suffix.lower() != ".xml" or not path.is_file():
        return False
    with path.open("rb") as stream:
        start = stream.read(1 << 12)
    return b"<urlset" in start or b"<sitemapindex" in start


def sitemap_files(path: Path) -> list[SourceFile]:
    """The local files that the addresses of a sitemap stand for; nothing is fetched.

    The path of an address is looked for beside the sitemap: `/a/` and `/a` may be
    `a/index.html`, `/a` may be `a.html`. Addresses without a file are passed over. An
    index of sitemaps names sitemaps that stand beside it.

    Raises:
        DataError: It is no sitemap, or none of its addresses has a file.
    """
    root = path.parent
    found: dict[Path, SourceFile] = {}
    count = 0
    pending, seen = [path], {path.resolve()}
    while pending:
        for address, changed, is_map in _addresses(pending.pop()):
            count += 1
            local = _local_file(address, root)
            if local is None:
                continue
            if not is_map:
                said = (("url", address), ("date", iso_date(changed)))
                entries = tuple(pair for pair in said if pair[1])
                found.setdefault(local, SourceFile(local, root, entries))
            elif local.resolve() not in seen:
                seen.add(local.resolve())
                pending.append(local)
    if not found:
        raise DataError(
            f"none of its {count} addresses has a file beside it",
            fix="put the sitemap into the top folder of a copy of the site",
            where=str(path),
        )
    return list(found.values())


class _Address(NamedTuple):
    url: str
    changed: str
    is_map: bool


def _addresses(path: Path) -> list[_Address]:
    """The entries of a sitemap, read as a stream: only their texts are kept."""
    collector = _Collector()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = collector.doctype
    parser.StartElementHandler = collector.open
    parser.EndElementHandler = collector.close
    parser.CharacterDataHandler = collector.text
    try:
        size = path.stat().st_size
        if size > _SITEMAP_BYTES:
            msg = f"{size} bytes, a sitemap has at most {_SITEMAP_BYTES}"
            raise ValueError(msg)
        with path.open("rb") as stream:
            parser.ParseFile(stream)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(
            f"not a readable sitemap: {error}",
            fix="write it as https://www.sitemaps.org/protocol.html says",
            where=str(path),
        ) from error
    return collector.found


class _Collector:
    """Collects the entries while a sitemap is parsed."""

    def __init__(self) -> None:
        self.found: list[_Address] = []
        self._parts: list[str] = []
        self._fields: dict[str, str] = {}

    def doctype(self, *_: object) -> None:
        msg = "it declares a document type, which can hold entity bombs"
        raise ValueError(msg)

    def open(self, name: str, _: dict[str, str]) -> None:
        self._parts = []
        if name.rpartition(" ")[2] in {"url", "sitemap"}:
            self._fields = {}

    def text(self, data: str) -> None:
        self._parts.append(data)

    def close(self, name: str) -> None:
        tag = name.rpartition(" ")[2]
        if tag in {"loc", "lastmod"}:
            # Not those of images and videos, which stand in namespaces of their own.
            self._fields.setdefault(tag, "".join(self._parts).strip())
        elif tag in {"url", "sitemap"} and self._fields.get("loc"):
            changed = self._fields.get("lastmod", "")
            self.found.append(
                _Address(self._fields["loc"], changed, is_map=tag == "sitemap")
            )


def _local_file(address: str, root: Path) -> Path | None:
    """The file below `root` that an address stands for."""
    try:
        named = unquote(urlsplit(address).path)
    except ValueError:
        return None
    # Made absolute first, so that `..` cannot lead above the root.
    relative = posixpath.normpath(posixpath.join("/", named)).lstrip("/")
    if "\0" in relative or ".git" in PurePosixPath(relative).parts:
        return None
    base = root / relative
    candidates = [base, base / "index.html", base.with_name(f"{base.name}.html")]
    inside = root.resolve()
    for path in candidates:
        if path.is_file() and path.resolve().is_relative_to(inside):
            return path
    return None
