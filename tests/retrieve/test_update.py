from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import DataError, StoreError
from groundtune.core.protocols import Embedder
from groundtune.core.values import Citation, Document
from groundtune.data.read import UnreadableDocument
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.schema import (
    StoredDocument,
    document_key,
    pack_document,
    unpack_document,
)
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.source import FailedDocument
from groundtune.retrieve.writer import BATCH_PASSAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    Make = Callable[..., Document]


class Counting(Embedder, Protocol):
    """An embedder that counts what it embeds."""

    embedded: int


def retriever_of(kb: KnowledgeBase) -> HybridRetriever:
    assert kb.embedder is not None
    return HybridRetriever(kb, kb.embedder)


MOON = "The first person on the moon was Odrane Velt, who came with a silver boat."
TIDE = "Tides are two hours later each day, which the harbour master writes on slate."
OILS = "Lamps are filled with walnut oil on every third evening of the dry season."


@pytest.fixture
def filled(kb: KnowledgeBase, document: Make) -> KnowledgeBase:
    kb.update(
        [document("moon.md", MOON, TIDE), document("oil.md", OILS)],
        delete_missing=False,
    )
    return kb


def names(kb: KnowledgeBase) -> list[str]:
    return [known.id for known in kb.documents()]


def test_passages_carry_offsets_into_the_stored_text(filled: KnowledgeBase) -> None:
    text = filled.document_text("moon.md")

    assert text == f"{MOON}\n\n{TIDE}"
    passages = filled.passages("moon.md")
    assert len(passages) == 2
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
    assert filled.count == 3


def test_unchanged_documents_are_neither_embedded_nor_written(
    filled: KnowledgeBase, document: Make, embedder: Counting
) -> None:
    before, version = embedder.embedded, filled.version

    report = filled.update(
        [document("moon.md", MOON, TIDE), document("oil.md", OILS)],
        delete_missing=True,
    )

    assert (report.unchanged, report.added, report.updated) == (2, 0, 0)
    assert embedder.embedded == before
    assert filled.version == version


def test_changed_document_is_replaced_and_only_its_new_passages_are_embedded(
    filled: KnowledgeBase, document: Make, embedder: Counting
) -> None:
    before = embedder.embedded

    report = filled.update(
        [document("moon.md", MOON, TIDE.replace("slate", "a tablet of wax"))],
        delete_missing=False,
    )

    assert (report.updated, report.added, report.deleted) == (1, 0, 0)
    assert embedder.embedded == before + 1
    assert "wax" in filled.passages("moon.md")[1].text
    assert names(filled) == ["moon.md", "oil.md"]
    assert report.passages == filled.count == 3


def test_missing_documents_go_only_when_asked(
    filled: KnowledgeBase, document: Make
) -> None:
    kept = filled.update([document("oil.md", OILS)], delete_missing=False)
    assert (kept.deleted, names(filled)) == (0, ["moon.md", "oil.md"])

    report = filled.update([document("oil.md", OILS)], delete_missing=True)

    assert (report.deleted, report.passages) == (1, 1)
    assert names(filled) == ["oil.md"]
    with pytest.raises(DataError, match=r"no document named 'moon.md'"):
        filled.document_text("moon.md")
    assert len(list((filled.path / "documents").iterdir())) == 1


@pytest.mark.parametrize("delete", [True, False])
def test_moved_document_keeps_its_vectors_and_changes_its_name(
    filled: KnowledgeBase, document: Make, embedder: Counting, delete: bool
) -> None:
    before = embedder.embedded

    report = filled.update(
        [document("sky/moon.md", MOON, TIDE), document("oil.md", OILS)],
        delete_missing=delete,
    )

    assert (report.moved, report.added, report.deleted) == (1, 0, 0)
    assert names(filled) == ["oil.md", "sky/moon.md"]
    assert embedder.embedded == before
    assert {p.document for p in filled.passages("sky/moon.md")} == {"sky/moon.md"}


def test_copy_of_a_document_is_a_document_of_its_own(
    filled: KnowledgeBase, document: Make
) -> None:
    report = filled.update(
        [document("copy.md", OILS), document("oil.md", OILS)], delete_missing=False
    )

    assert (report.added, report.moved, report.unchanged) == (1, 0, 1)
    assert names(filled) == ["copy.md", "moon.md", "oil.md"]


def test_deleting_one_of_two_equal_documents_leaves_the_other(
    filled: KnowledgeBase, document: Make
) -> None:
    filled.update(
        [document("copy.md", OILS), document("oil.md", OILS)], delete_missing=False
    )

    filled.update(
        [document("copy.md", OILS), document("moon.md", MOON, TIDE)],
        delete_missing=True,
    )

    assert names(filled) == ["copy.md", "moon.md"]
    assert filled.document_text("copy.md") == OILS
    hits = retriever_of(filled).search("walnut oil", k=3)
    assert hits[0].passage.document == "copy.md"


def test_failing_embedder_leaves_the_old_version_searchable(
    filled: KnowledgeBase, document: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = filled.version

    def fail(_texts: object) -> None:
        raise RuntimeError("the model is out of order")

    with monkeypatch.context() as broken:
        broken.setattr(filled.embedder, "encode", fail)
        with pytest.raises(RuntimeError, match="out of order"):
            filled.update([document("oil.md", OILS + " Twice.")], delete_missing=False)

    assert filled.version == version
    assert filled.document_text("oil.md") == OILS
    assert retriever_of(filled).search("walnut", k=1)[0].passage.text == OILS
    assert (
        filled.update([document("oil.md", OILS)], delete_missing=False).unchanged == 1
    )


def test_empty_source_wipes_nothing(filled: KnowledgeBase) -> None:
    with pytest.raises(DataError, match="nothing was deleted"):
        filled.update([], delete_missing=True)

    assert names(filled) == ["moon.md", "oil.md"]


def test_document_that_cannot_be_read_keeps_its_earlier_version(
    filled: KnowledgeBase, document: Make
) -> None:
    broken = UnreadableDocument("moon.md", DataError("not UTF-8", fix="convert it"))

    report = filled.update(
        [broken, document("oil.md", OILS), document("new.md", "  \n ")],
        delete_missing=True,
    )

    assert report.failed == (
        FailedDocument("moon.md", "not UTF-8 (fix: convert it)"),
        FailedDocument("new.md", "holds no text"),
    )
    assert (report.deleted, report.unchanged) == (0, 1)
    assert filled.document_text("moon.md").startswith(MOON)


def test_unreadable_file_of_many_documents_protects_all_of_them(
    kb: KnowledgeBase,
) -> None:
    articles = [
        Document(id=name, text=f"{name} is a town.", metadata={"path": "set.json"})
        for name in ("Arnwick", "Bellmere")
    ]
    kb.update(articles, delete_missing=False)
    broken = UnreadableDocument("data/set.json", DataError("torn", fix="fetch it"))

    report = kb.update([broken], delete_missing=True)

    assert report.deleted == 0
    assert names(kb) == ["Arnwick", "Bellmere"]


def test_two_documents_of_one_name_are_reported(
    kb: KnowledgeBase, document: Make
) -> None:
    report = kb.update([document("a", MOON), document("a", TIDE)], delete_missing=False)

    assert report.failed == (FailedDocument("a", "another document has this id"),)
    assert kb.document_text("a") == MOON


def test_emptied_base_answers_nothing_and_fills_again(
    filled: KnowledgeBase, document: Make, embedder: Counting
) -> None:
    filled.remove(["moon.md", "oil.md"])
    assert (filled.count, names(filled)) == (0, [])
    assert retriever_of(filled).search("moon", k=3) == []

    assert filled.update([document("m", MOON)], delete_missing=False).added == 1
    assert len(retriever_of(filled).search("moon", k=3)) == 1


HOSTILE = [
    "it's.md",
    "a' OR '1'='1",
    "'); DROP TABLE passages; --",
    'quote".md',
    "back\\slash",
    "ünïcödé/文書.md",
    "new\nline",
]


def test_document_names_never_reach_a_filter(
    filled: KnowledgeBase, document: Make
) -> None:
    filled.update(
        [document(name, TIDE, name) for name in HOSTILE], delete_missing=False
    )
    assert set(names(filled)) == {"moon.md", "oil.md", *HOSTILE}

    for name in HOSTILE:
        assert all(p.document == name for p in filled.passages(name))
        filled.update([document(name, OILS, name)], delete_missing=False)
        assert OILS in filled.document_text(name)
    filled.update([document("oil.md", OILS)], delete_missing=True)

    assert names(filled) == ["oil.md"]


def test_many_documents_share_commits_and_none_is_split(
    kb: KnowledgeBase, document: Make
) -> None:
    many = [
        document(f"d{n:03}", *(f"{n} {p} {TIDE}" for p in range(3))) for n in range(150)
    ]
    before = kb.version

    report = kb.update(many, delete_missing=False)

    assert report.passages == 450 > BATCH_PASSAGES
    # Two commits of passages, one of the index.
    assert kb.version - before == 3


def test_index_stays_whole_over_many_small_updates(
    kb: KnowledgeBase, document: Make
) -> None:
    for number in range(20):
        kb.update([document(f"d{number}", f"{number} {TIDE}")], delete_missing=False)

    assert kb.is_indexed()
    retriever = retriever_of(kb)
    assert len({h.passage.document for h in retriever.search("tides", k=50)}) == 20


def test_base_of_another_embedder_is_refused_untouched(
    filled: KnowledgeBase, other_embedder: Callable[..., Counting]
) -> None:
    for other in (other_embedder(name="other@1"), other_embedder(dim=32)):
        with pytest.raises(StoreError, match="made by the embedder words@0") as stop:
            KnowledgeBase.open(filled.path, embedder=other)
        name = other.name.partition("@")[0]
        assert f"kb rebuild {filled.path} --embedder {name}" in stop.value.fix
        with pytest.raises(StoreError, match="made by the embedder"):
            HybridRetriever(filled, other)
    assert names(KnowledgeBase.open(filled.path)) == ["moon.md", "oil.md"]


def test_base_of_full_weights_is_refused_for_int8(
    filled: KnowledgeBase, other_embedder: Callable[..., Counting]
) -> None:
    with pytest.raises(StoreError, match="an older groundtune") as stop:
        KnowledgeBase.open(filled.path, embedder=other_embedder(name="words@0-int8"))
    assert stop.value.fix == f"groundtune kb rebuild {filled.path}"


def test_embedding_that_fails_loses_only_its_own_batch(
    kb: KnowledgeBase,
    embedder: Counting,
    document: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    documents = [document(f"d{n}", f"tide number {n}") for n in range(600)]
    encode = embedder.encode

    def failing(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if any("number 300" in text for text in texts):
            raise RuntimeError("the engine broke")
        return encode(texts)

    monkeypatch.setattr(embedder, "encode", failing)
    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="the engine broke"):
        kb.update(documents, delete_missing=False)

    # In the order given, and the thread that embeds has ended.
    assert names(kb) == sorted(f"d{n}" for n in range(BATCH_PASSAGES))
    assert threading.active_count() == threads
    monkeypatch.undo()
    assert kb.update(documents, delete_missing=False).added == 600 - BATCH_PASSAGES


def test_base_of_another_splitter_is_refused(
    filled: KnowledgeBase, embedder: Counting
) -> None:
    with pytest.raises(StoreError, match=r"target 20.*target 99"):
        KnowledgeBase.create_or_open(
            filled.path,
            embedder=embedder,
            splitter=SplitterSettings(target=99),
        )


def test_folder_of_something_else_is_left_alone(
    tmp_path: Path, open_words: Callable[[Path], KnowledgeBase]
) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "diary.json").write_text("{}")

    with pytest.raises(StoreError, match="not a knowledge base"):
        open_words(tmp_path)

    assert [file.name for file in tmp_path.rglob("*")] == ["documents", "diary.json"]
    with pytest.raises(StoreError, match="no knowledge base here"):
        KnowledgeBase.open(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": 99}'])
def test_damaged_stamp_is_one_clear_error(filled: KnowledgeBase, content: str) -> None:
    (filled.path / "kb.json").write_text(content)

    with pytest.raises(StoreError) as stop:
        KnowledgeBase.open(filled.path)

    assert "again" in stop.value.fix


def test_changed_passage_text_is_noticed_when_it_is_read(
    filled: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with tables too large to be compared as a whole on opening.
    monkeypatch.setattr("groundtune.retrieve.integrity.WHOLE_CHECK_BYTES", 0)
    needle = b"silver boat"
    (damaged,) = [
        file
        for file in (filled.path / "lance").rglob("data/*.lance")
        if needle in file.read_bytes()
    ]
    raw = damaged.read_bytes()
    damaged.write_bytes(raw.replace(needle, b"silver goat"))
    again = KnowledgeBase.open(filled.path, embedder=filled.embedder)

    with pytest.raises(StoreError, match=r"'moon.md' is damaged"):
        again.passages("moon.md")
    with pytest.raises(StoreError, match=r"'moon.md' is damaged"):
        retriever_of(again).search("moon", k=1)


def test_truncated_data_file_is_noticed_when_opened(filled: KnowledgeBase) -> None:
    for file in (filled.path / "lance").rglob("data/*.lance"):
        file.write_bytes(file.read_bytes()[:100])

    with pytest.raises(StoreError, match="is damaged"):
        KnowledgeBase.open(filled.path)


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_damaged_document_file_is_noticed(filled: KnowledgeBase, damage: str) -> None:
    for file in (filled.path / "documents").iterdir():
        if damage == "remove":
            file.unlink()
        else:
            file.write_text(file.read_text().replace("moon", "noon"))

    with pytest.raises(StoreError, match=r"text of 'moon.md' is missing or damaged"):
        filled.document_text("moon.md")


def test_citations_resolve_only_where_the_text_is(filled: KnowledgeBase) -> None:
    start = MOON.index("Odrane")
    good = Citation(document="moon.md", start=start, end=start + 11, text="Odrane Velt")

    assert filled.resolve(good)
    assert not filled.resolve(
        Citation(document="moon.md", start=start + 1, end=start + 12, text=good.text)
    )
    assert not filled.resolve(
        Citation(document="gone.md", start=start, end=start + 11, text=good.text)
    )
    assert not filled.resolve(
        Citation(document="moon.md", start=-11, end=9_999, text=good.text)
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    text=st.text(st.characters(codec="utf-8"), max_size=80),
    title=st.text(st.characters(codec="utf-8"), max_size=10),
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=10),
)
def test_stored_document_is_the_document(text: str, title: str, name: str) -> None:
    given_ = Document(id=name, text=text, title=title, metadata={"path": "p", "x": "y"})
    packed = pack_document(given_)
    known = StoredDocument(name, packed.content, packed.text_hash, packed.source, 0)

    assert unpack_document(packed.blob, known=known) == given_
    assert document_key(name).isalnum()
