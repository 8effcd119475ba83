"""Documents that are broken or made to do harm, and what must hold for each of them.

Every document is made here or in the tests, the same ones each time. `make test-slow`
reads all of them; the short form takes those of each kind that cost the least.
"""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from openpyxl import Workbook

from groundtune.core.errors import DataError
from groundtune.data.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from groundtune.core.values import Document

SPOILT_COPIES = 24
"""Of each format, with bytes cut off, changed, doubled or taken out."""
SECONDS = 30.0
BYTES = 1 << 30


@pytest.fixture(scope="session")
def good_documents(
    make_pdf: Any, make_zip: Any, docx_parts: Any, pptx_parts: Any, epub_parts: Any
) -> dict[str, bytes]:
    """A sound document of each format, by extension."""
    docx = docx_parts(f"<w:p><w:r><w:t>{'Some text. ' * 20}</w:t></w:r></w:p>")
    slide = "<p:sp><p:txBody><a:p><a:r><a:t>Text</a:t></a:r></a:p></p:txBody></p:sp>"
    pptx = pptx_parts(slide, slide)
    epub = epub_parts("<h1>One</h1><p>Text.</p>", "<p>More.</p>")
    book = Workbook()
    sheet: Any = book.active
    for number in range(30):
        sheet.append([f"name {number}", number])
    stream = io.BytesIO()
    book.save(stream)
    prose = "A heading\n=========\n\nSome text, and more of it.\n\n- one\n- two\n" * 9
    rows = "name,age\n" + "".join(f'"Ada, {n}",{n}\n' for n in range(60))
    record = {"title": "A", "text": "Some text.", "n": [1, {"x": None}]}
    return {
        "txt": prose.encode(),
        "md": f"---\ntitle: x\n---\n{prose}| a | b |\n|---|---|\n| 1 | 2 |\n".encode(),
        "rst": prose.encode(),
        "html": f"<html><body><table><tr><td>1</table><p>{prose}".encode(),
        "pdf": make_pdf([["# Title", *prose.splitlines()]] * 3),
        "docx": make_zip(docx),
        "pptx": make_zip(pptx),
        "xlsx": stream.getvalue(),
        "csv": rows.encode(),
        "tsv": rows.replace(",", "\t").encode(),
        "json": json.dumps([record] * 20).encode(),
        "jsonl": (json.dumps(record) + "\n").encode() * 20,
        "epub": make_zip(epub),
        "eml": f"Subject: x\nFrom: a@example.org\n\n{prose}".encode(),
    }


@pytest.fixture(scope="session")
def spoilt_copies(
    good_documents: dict[str, bytes],
) -> Callable[[str], list[tuple[str, bytes]]]:
    """Names and bytes of what is left of the sound document of a format."""

    def make(kind: str) -> list[tuple[str, bytes]]:
        rng = np.random.default_rng(8)
        made = [
            *spoilt(good_documents[kind], rng),
            *foreign(kind, good_documents),
        ]
        return [(f"{name}.{kind}", raw) for name, raw in made]

    return make


def spoilt(raw: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Copies with bytes cut off, changed, doubled or taken out."""
    yield "empty", b""
    yield "blank", b" \n\t\r\n"
    for number in range(SPOILT_COPIES):
        start, length = rng.integers(len(raw)), rng.integers(1, 40)
        noise = rng.bytes(int(length))
        ways = {
            "cut": raw[:start],
            "changed": raw[:start] + noise + raw[start + length :],
            "nul": raw[:start] + b"\0" * length + raw[start:],
            "doubled": raw[:start] + raw[: start + length] + raw[start:],
            "without": raw[:start] + raw[start + length :],
            "latin": raw[:start] + "\xe9\xff".encode("latin-1") + raw[start:],
        }
        way = list(ways)[number % len(ways)]
        yield f"{way}{number}", ways[way]


def foreign(kind: str, good: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """What has the extension of one format and is another, or is encoded otherwise."""
    for other in ("pdf", "docx", "html"):
        if other != kind:
            yield f"really-{other}", good[other]
    yield "noise", np.random.default_rng(1).bytes(5000)
    text = good["txt"].decode()
    yield "utf16", text.encode("utf-16-le")
    yield "utf32", text.encode("utf-32")
    yield "halves", "a\ud800b".encode("utf-8", "surrogatepass") * 50


@pytest.fixture
def read_each(tmp_path: Path) -> Callable[[Sequence[Any]], dict[str, float]]:
    """Reads documents, checks what must hold for all; the seconds that each took."""
    return lambda documents: read_and_check(documents, tmp_path)


@pytest.fixture
def read_some(read_each: Any) -> Callable[..., None]:
    """Reads some of the documents that cost little."""

    def read(documents: Sequence[Any], *, at_least: int) -> None:
        cheap = [bad for bad in documents if not bad.is_costly]
        seconds = read_each(cheap[:: len(cheap) // at_least])
        assert len(seconds) >= at_least
        assert max(seconds.values()) < SECONDS

    return read


@pytest.fixture
def read_all(read_each: Any) -> Callable[..., None]:
    """Reads all of the documents, which must be so many and of different names."""

    def read(documents: Sequence[Any], *, at_least: int) -> None:
        assert len({bad.name for bad in documents}) == len(documents) >= at_least
        assert max(read_each(documents).values()) < SECONDS

    return read


def read_and_check(documents: Sequence[Any], folder: Path) -> dict[str, float]:
    """Read each and check what must hold for all; returns the seconds of each."""
    (folder / "docs").mkdir()
    (folder / "beside").write_text("as it was")
    seconds: dict[str, float] = {}
    ours = peak_bytes(os.getpid())
    with Sandbox() as box:
        for bad in documents:
            path = folder / "docs" / bad.name
            path.write_bytes(bad.raw() if callable(bad.raw) else bad.raw)
            before = time.perf_counter()
            outcome = read_or_fail(box, path)
            seconds[bad.name] = time.perf_counter() - before
            if isinstance(outcome, DataError):
                assert outcome.problem, bad.name
                assert outcome.fix, bad.name
                assert outcome.where.startswith(str(path)), bad.name
            else:
                assert all(map(is_harmless, outcome)), bad.name
            assert peak_bytes(box.pid) <= BYTES, bad.name
            path.unlink()
    assert peak_bytes(os.getpid()) - ours < BYTES
    left = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    assert sorted(left) == ["beside", "docs"]
    assert (folder / "beside").read_text() == "as it was"
    return seconds


def peak_bytes(pid: int | None) -> int:
    """The most memory that a process has had at once; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def read_or_fail(box: Sandbox, path: Path) -> list[Document] | DataError:
    try:
        return box.read_all(path, name=path.name)
    except DataError as error:
        return error


def is_harmless(document: Document) -> bool:
    """Whether what comes after the reader can work with a document."""
    document.text.encode()
    spans = [(block.start, block.end) for block in document.blocks]
    return (
        "\0" not in document.text
        and spans == sorted(spans)
        and all(0 <= start < end <= len(document.text) for start, end in spans)
    )
