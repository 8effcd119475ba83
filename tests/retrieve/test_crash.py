from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.errors import StoreError
from groundtune.core.values import Document
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.store.files import read_json_lines, write_lock

if TYPE_CHECKING:
    from collections.abc import Callable

CHILD = Path(__file__).with_name("child_updates.py")
DOCUMENTS = 5
PARTS = 4


def texts_of(version: int) -> list[Document]:
    return [
        Document(
            id=f"doc-{number}",
            text="\n\n".join(
                f"doc-{number} in version {version}, part {part}, says that the lamp "
                f"of doc-{number} burns {version * 7 + part} hours before somebody "
                "fills it with oil."
                for part in range(PARTS)
            ),
            metadata={"path": f"doc-{number}"},
        )
        for number in range(DOCUMENTS)
    ]


def versions_of(kb: KnowledgeBase, name: str) -> set[str]:
    joined = " ".join(passage.text for passage in kb.passages(name))
    assert joined.count("in version") == PARTS, "a whole document"
    assert joined == " ".join(kb.document_text(name).split("\n\n"))
    return set(re.findall(r"in version (\d+)", joined))


def test_killed_at_random_moments_each_document_is_old_or_new(
    tmp_path: Path, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb = open_words(tmp_path / "kb")
    kb.update(texts_of(1), delete_missing=False)
    rng = np.random.default_rng(5)
    seen: set[str] = set()

    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, str(CHILD), str(tmp_path / "kb"), "forever"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child:
            assert child.stdout.readline() == "ready\n"
            time.sleep(float(rng.uniform(0.02, 0.6)))
            child.kill()

        again = open_words(tmp_path / "kb")
        for number in range(DOCUMENTS):
            (version,) = versions_of(again, f"doc-{number}")
            seen.add(version)
        ids = again.read(["id"]).column("id").to_pylist()
        assert max(Counter(ids).values()) == 1
        assert again.embedder is not None
        wanted = again.passages("doc-3")[1]
        hits = HybridRetriever(again, again.embedder).search(wanted.text, k=4)
        assert hits[0].passage == wanted

    finished = open_words(tmp_path / "kb")
    report = finished.update(texts_of(1), delete_missing=False)
    assert report.unchanged + report.updated == DOCUMENTS
    assert versions_of(finished, "doc-0") == {"1"}
    assert len(seen) > 1, "the child was killed before it changed anything"


def test_full_disk_is_one_clear_error_and_loses_nothing(
    tmp_path: Path, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb = open_words(tmp_path / "kb")
    kb.update(texts_of(1), delete_missing=False)

    done = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path / "kb"), "60000"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == StoreError.exit_code, done.stderr
    assert "fix: free disk space" in done.stdout
    again = open_words(tmp_path / "kb")
    assert [known.id for known in again.documents()] == [
        f"doc-{number}" for number in range(DOCUMENTS)
    ]
    for number in range(DOCUMENTS):
        assert len(versions_of(again, f"doc-{number}")) == 1
    assert again.update(texts_of(3), delete_missing=False).updated == DOCUMENTS


def damage_head(kb: KnowledgeBase) -> Path:
    """A newest manifest as a power cut leaves it: named, and empty."""
    versions = kb.path / "lance" / "passages.lance" / "_versions"
    head = sorted(versions.glob("*.manifest"))[0]
    torn = versions / f"{int(head.stem) - 1:020d}.manifest"
    torn.write_bytes(b"")
    return torn


def test_torn_head_is_put_aside_and_the_commit_before_it_opens(
    kb: KnowledgeBase, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb.update(texts_of(1), delete_missing=False)
    torn = damage_head(kb)

    again = open_words(kb.path)

    assert again.quarantined == [torn.name]
    assert not torn.exists()
    assert torn.with_suffix(".manifest.quarantined").exists()
    assert again.update(texts_of(2), delete_missing=False).updated == DOCUMENTS
    assert versions_of(open_words(kb.path), "doc-1") == {"2"}


def test_an_acknowledged_head_is_never_put_aside(
    kb: KnowledgeBase, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb.update(texts_of(1), delete_missing=False)
    versions = kb.path / "lance" / "passages.lance" / "_versions"
    head = sorted(versions.glob("*.manifest"))[0]
    head.write_bytes(b"")

    with pytest.raises(StoreError, match="ingest again"):
        open_words(kb.path)

    assert head.exists()


def test_missing_acknowledged_version_is_reported(
    kb: KnowledgeBase, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb.update(texts_of(1), delete_missing=False)
    versions = kb.path / "lance" / "passages.lance" / "_versions"
    sorted(versions.glob("*.manifest"))[0].unlink()

    with pytest.raises(StoreError, match="is left"):
        open_words(kb.path)


def test_every_commit_is_in_the_ledger_before_it_is_reported(
    kb: KnowledgeBase,
) -> None:
    kb.update(texts_of(1), delete_missing=False)

    lines = read_json_lines(kb.path / "ledger.jsonl")
    assert lines[-1]["version"] == kb.version
    assert sum(line["documents"] for line in lines) == DOCUMENTS


def test_second_writer_is_refused_while_readers_go_on(
    kb: KnowledgeBase, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb.update(texts_of(1), delete_missing=False)

    with (
        write_lock(kb.path / ".writer"),
        pytest.raises(StoreError, match="in use by another"),
    ):
        open_words(kb.path).update(texts_of(2), delete_missing=False)

    with write_lock(kb.path / ".writer"):
        assert versions_of(KnowledgeBase.open(kb.path), "doc-2") == {"1"}
