"""What a crash leaves behind, and who may write. Real crashes: tests/durability."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import StoreError
from groundtune.core.values import Document
from groundtune.retrieve.index import KnowledgeBase
from groundtune.store.files import read_json_lines, write_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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

    with pytest.raises(StoreError, match="is damaged"):
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


def test_commit_that_nobody_acknowledged_is_neither_seen_nor_built_on(
    kb: KnowledgeBase, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb.update(texts_of(1), delete_missing=False)
    ledger = (kb.path / "ledger.jsonl").read_bytes()
    texts = {file: file.read_bytes() for file in (kb.path / "documents").iterdir()}
    kb.update(texts_of(2), delete_missing=False)

    # As after a crash between a commit and its line: files of it may be missing.
    (kb.path / "ledger.jsonl").write_bytes(ledger)
    (kb.path / "acknowledged").unlink()
    for file, raw in texts.items():
        file.write_bytes(raw)

    assert versions_of(KnowledgeBase.open(kb.path), "doc-0") == {"1"}
    again = open_words(kb.path)
    assert again.update(texts_of(3), delete_missing=False).updated == DOCUMENTS
    assert again.quarantined
    assert versions_of(open_words(kb.path), "doc-0") == {"3"}


def test_ledger_that_lost_its_last_lines_is_noticed(
    kb: KnowledgeBase, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    kb.update(texts_of(1), delete_missing=False)
    ledger = kb.path / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]))

    with pytest.raises(StoreError, match="last lines are missing"):
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
