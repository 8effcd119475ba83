"""`ingest` as a sync: retries, copies in other places, room on the disk, `--watch`."""

from __future__ import annotations

import runpy
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import ConfigError, StoreError
from groundtune.recipes.following import watch
from groundtune.recipes.ingest import ingest
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.states import read_states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.core.errors import GroundtuneError
    from groundtune.retrieve.source import IngestReport

LAMPS = "Lamps are filled with walnut oil on every third evening of the dry season.\n"


@pytest.fixture(scope="module")
def words() -> Any:
    """A small embedder that needs no model."""
    here = Path(__file__).resolve().parent.parent / "retrieve" / "conftest.py"
    return runpy.run_path(str(here))["WordEmbedder"]()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"{number}. {LAMPS}")
    return folder


def names(kb: Path) -> list[str]:
    return [known.id for known in KnowledgeBase.open(kb).documents()]


def test_retry_reads_only_what_failed(docs: Path, tmp_path: Path, words: Any) -> None:
    kb = tmp_path / "kb"
    (docs / "bad.txt").write_bytes(b"caf\xe9 \xff\xfe\x00")
    first = ingest([docs], kb=kb, model=words)
    assert [failed.document for failed in first.failed] == ["bad.txt"]
    assert read_states(kb)["bad.txt"].state == "failed"

    again = ingest([docs], kb=kb, model=words, retry_failed=True)
    assert (again.unchanged, len(again.failed)) == (0, 1)
    (docs / "bad.txt").write_text("mended, at last")
    mended = ingest([docs], kb=kb, model=words, retry_failed=True)

    assert (mended.added, mended.unchanged, mended.failed) == (1, 0, ())
    nothing = ingest([docs], kb=kb, model=words, retry_failed=True)
    assert (nothing.added, nothing.unchanged, nothing.passages) == (0, 0, 4)
    with pytest.raises(ConfigError, match="cannot tell what is gone"):
        ingest([docs], kb=kb, model=words, retry_failed=True, delete=True)


def test_same_text_in_two_folders_is_two_documents(
    docs: Path, tmp_path: Path, words: Any
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "copy.txt").write_text((docs / "1.txt").read_text())
    kb = tmp_path / "kb"
    ingest([docs], kb=kb, model=words)

    report = ingest([other], kb=kb, model=words)

    assert (report.added, report.moved) == (1, 0)
    assert names(kb) == ["0.txt", "1.txt", "2.txt", "copy.txt"]
    (docs / "2.txt").rename(other / "moved.txt")
    assert ingest([other], kb=kb, model=words).moved == 1
    assert names(kb) == ["0.txt", "1.txt", "copy.txt", "moved.txt"]


def test_too_little_room_is_told_before_anything_is_made(
    docs: Path, tmp_path: Path, words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1 << 20

    def usage(_place: object) -> type[Usage]:
        return Usage

    monkeypatch.setattr("groundtune.recipes.ingest.shutil.disk_usage", usage)

    with pytest.raises(StoreError, match="1 MiB free"):
        ingest([docs], kb=tmp_path / "kb", model=words)

    assert not (tmp_path / "kb").exists()


class Following:
    """A watch in a thread of its own; `next` waits for its next report."""

    def __init__(self, docs: Path, kb: Path, words: Any) -> None:
        self.stop = threading.Event()
        self.errors: list[GroundtuneError] = []
        self._reports: list[IngestReport] = []
        self._come = threading.Semaphore(0)
        self._told = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._follow, args=(docs, kb, words))
        self._thread.start()

    def _follow(self, docs: Path, kb: Path, words: Any) -> None:
        def on_error(error: GroundtuneError) -> None:
            self.errors.append(error)
            self._told.release()

        for report in watch(
            [docs],
            kb=kb,
            stop=self.stop,
            model=words,
            delete=True,
            on_error=on_error,
            interval=0.02,
            settle=0.02,
        ):
            self._reports.append(report)
            self._come.release()

    def next(self) -> IngestReport:
        assert self._come.acquire(timeout=20)
        return self._reports[-1]

    def next_error(self) -> GroundtuneError:
        assert self._told.acquire(timeout=20)
        return self.errors[-1]

    def end(self) -> None:
        self.stop.set()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()


@pytest.fixture
def following(docs: Path, tmp_path: Path, words: Any) -> Iterator[Following]:
    made = Following(docs, tmp_path / "kb", words)
    yield made
    made.end()


def test_watch_follows_the_folder(
    following: Following, docs: Path, tmp_path: Path
) -> None:
    kb = tmp_path / "kb"
    assert following.next().added == 3
    (docs / "new.txt").write_text("The ferry leaves at noon.")
    report = following.next()
    assert (report.added, report.unchanged) == (1, 0)
    (docs / "0.txt").unlink()
    assert following.next().deleted == 1
    (docs / "1.txt").rename(docs / "one.txt")
    moved = following.next()
    assert (moved.moved, moved.deleted) == (1, 0)
    assert names(kb) == ["2.txt", "new.txt", "one.txt"]

    for file in list(docs.iterdir()):
        file.unlink()
    assert "no documents found" in following.next_error().problem
    assert names(kb) == ["2.txt", "new.txt", "one.txt"]
    (docs / "new.txt").write_text("The ferry leaves at noon.")
    assert following.next().unchanged == 1
