from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.recipes.ingest import ingest, open_embedding_model
from groundtune.recipes.search import search
from groundtune.retrieve.index import KnowledgeBase

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Embedder


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return open_embedding_model("all-minilm-l6-v2")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sea").mkdir(parents=True)
    (folder / "moon.md").write_text(
        "# The moon\n\n## First steps\n\nOdrane Velt was the first to walk there. "
        '"The dust is warm," she said when she landed.\n'
    )
    (folder / "sea" / "tides.txt").write_text(
        "Tides come two hours later each day. The harbour master writes them down.\n"
    )
    return folder


def test_folder_is_found_again_by_meaning_and_by_words(
    docs: Path, tmp_path: Path, embedder: Embedder
) -> None:
    report = ingest([docs], kb=tmp_path / "kb", model=embedder)
    assert (report.added, report.failed) == (2, ())

    hits = search("who landed first?", kb=tmp_path / "kb", model=embedder, k=1)

    passage = hits[0].passage
    assert (passage.document, passage.heading) == (
        "moon.md",
        "The moon > First steps",
    )
    text = KnowledgeBase.open(tmp_path / "kb").document_text("moon.md")
    assert text[passage.start : passage.end] == passage.text
    words = search("harbour master", kb=tmp_path / "kb", model=embedder, k=5)
    assert words[0].passage.document == "sea/tides.txt"


def test_second_run_follows_the_files(
    docs: Path, tmp_path: Path, embedder: Embedder
) -> None:
    kb = tmp_path / "kb"
    ingest([docs], kb=kb, model=embedder)
    again = ingest([docs], kb=kb, model=embedder)
    assert (again.unchanged, again.added) == (2, 0)

    moon = docs / "moon.md"
    moon.write_text(moon.read_text().replace("Odrane Velt", "Tamsin Oake"))
    (docs / "sea" / "tides.txt").rename(docs / "water.txt")
    report = ingest([docs], kb=kb, model=embedder, delete=True)

    assert (report.updated, report.moved, report.deleted) == (1, 1, 0)
    hits = search("who was the first to walk there?", kb=kb, model=embedder, k=1)
    assert "Tamsin Oake" in hits[0].passage.text
    assert [known.id for known in KnowledgeBase.open(kb).documents()] == [
        "moon.md",
        "water.txt",
    ]


def test_unreadable_document_is_reported_and_the_others_go_in(
    docs: Path, tmp_path: Path, embedder: Embedder
) -> None:
    (docs / "a.txt").write_bytes(b"caf\xe9 \xff\xfe\x00")

    report = ingest([docs], kb=tmp_path / "kb", model=embedder)

    assert report.added == 2
    assert [failed.document for failed in report.failed] == ["a.txt"]
    assert "UTF-8" in report.failed[0].reason


@pytest.mark.parametrize("content", [None, b"caf\xe9 \xff\xfe\x00", b"  \n"])
def test_nothing_to_read_is_an_error_that_makes_nothing(
    tmp_path: Path, embedder: Embedder, content: bytes | None
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    if content is not None:
        (folder / "a.txt").write_bytes(content)

    with pytest.raises(DataError):
        ingest([folder], kb=tmp_path / "kb", model=embedder)

    assert [path.name for path in tmp_path.iterdir()] == ["docs"]


def test_search_says_what_is_wrong_before_it_opens_a_model(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no knowledge base here"):
        search("moon", kb=tmp_path / "none", model="no such model")
    with pytest.raises(ConfigError, match="query is empty"):
        search("  ", kb=tmp_path, model="no such model")
    with pytest.raises(ConfigError, match="k is 0"):
        search("moon", kb=tmp_path, model="no such model", k=0)


def test_squad_is_found_again(
    shared_data: Path, tmp_path: Path, embedder: Embedder
) -> None:
    """Hybrid search beats both of its parts on questions over three articles."""
    import json

    from groundtune.config.retrieval import RetrievalSettings, SearchMode
    from groundtune.data.squad import read_squad_cases
    from groundtune.retrieve.search import HybridRetriever

    raw = json.loads((shared_data / "squad" / "v1.1.json").read_text())
    articles = [
        {**article, "paragraphs": article["paragraphs"][:20]}
        for article in raw["data"][:3]
    ]
    small = tmp_path / "small.json"
    small.write_text(json.dumps({"version": "1.1", "data": articles}))
    ingest([small], kb=tmp_path / "kb", model=embedder)
    cases = read_squad_cases(small)[::3]
    kb = KnowledgeBase.open(tmp_path / "kb", embedder=embedder)

    def hit_rate(mode: SearchMode) -> float:
        retriever = HybridRetriever(kb, embedder, RetrievalSettings(mode=mode))
        found = retriever.search_many([case.question for case in cases], k=3)
        return sum(
            any(answer in hit.passage.text for answer in case.answers for hit in hits)
            for case, hits in zip(cases, found, strict=True)
        ) / len(cases)

    assert hit_rate("hybrid") >= max(hit_rate("dense"), hit_rate("bm25"), 0.9)
