from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.fingerprint import text_sha256
from groundtune.core.values import Passage
from groundtune.retrieve.filter import parse_filter
from groundtune.retrieve.schema import PreparedDocument, to_table
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.vector_index import (
    VectorIndex,
    exact_nearest,
    read_vector_index,
)

if TYPE_CHECKING:
    from groundtune.core.protocols import Embedder
    from groundtune.retrieve.index import KnowledgeBase

ROWS = 3_000


def make_rows(
    first: int, count: int, dim: int
) -> tuple[list[PreparedDocument], object]:
    """Random vectors, one passage a document."""
    rng = np.random.default_rng(first)
    vectors = rng.standard_normal((count, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    documents = [
        PreparedDocument(
            id=f"d{n:05d}",
            content=text_sha256(f"d{n}"),
            text_hash=text_sha256(f"d{n}"),
            source=f"d{n}",
            blob="",
            metadata=f'{{"part": "{n % 10}"}}',
            passages=(
                Passage(
                    id=f"p{n:05d}", document=f"d{n:05d}", start=0, end=3, text="abc"
                ),
            ),
        )
        for n in range(first, first + count)
    ]
    return documents, to_table(documents, vectors)


@pytest.fixture
def large(kb: KnowledgeBase, embedder: Embedder) -> KnowledgeBase:
    documents, rows = make_rows(0, ROWS, embedder.dim)
    with kb.writing():
        kb.replace(rows, documents=[document.id for document in documents])
    return kb


def make_index(kb: KnowledgeBase) -> VectorIndex:
    with kb.writing():
        kb.index()
    return read_vector_index(kb.path)


def test_no_index_is_made_for_a_small_table(large: KnowledgeBase) -> None:
    assert make_index(large).rows == 0


def test_the_index_is_measured_and_finds_what_exact_search_finds(
    large: KnowledgeBase, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundtune.retrieve.vector_index.EXACT_LIMIT", 1_000)
    monkeypatch.setattr("groundtune.retrieve.vector_index._QUERIES", 25)

    made = make_index(large)

    assert made.rows == ROWS
    assert made.recall >= 0.95
    assert made.recall_low <= made.recall <= made.recall_high
    settings = RetrievalSettings(mode="dense")
    indexed = HybridRetriever(large, embedder, settings, exact_limit=1_000)
    exact = HybridRetriever(large, embedder, settings)
    queries = [f"query number {n}" for n in range(30)]
    shared = [
        len({h.passage.id for h in a} & {h.passage.id for h in b}) / 10
        for a, b in zip(
            indexed.search_many(queries, k=10),
            exact.search_many(queries, k=10),
            strict=True,
        )
    ]
    assert sum(shared) / len(shared) >= 0.9

    where = parse_filter("part = 3")
    for retriever in (indexed, exact):
        hits = retriever.search("query", k=400, where=where)
        assert len(hits) == ROWS / 10
        assert {hit.metadata["part"] for hit in hits} == {"3"}

    # It is not made anew for a small addition, which is found all the same.
    documents, rows = make_rows(ROWS, 50, embedder.dim)
    with large.writing():
        large.replace(rows, documents=[document.id for document in documents])
    again = make_index(large)
    assert again == made
    table = large.snapshot()
    target = table.search().where("id = 'p03010'").select(["vector"]).to_arrow()
    right = exact_nearest(
        table, np.array(target["vector"].to_pylist(), np.float32), k=1
    )
    found = table.take_row_ids([int(right[0, 0])]).select(["id"]).to_arrow()
    assert found["id"].to_pylist() == ["p03010"]


def test_figures_that_are_damaged_fall_back_to_defaults(large: KnowledgeBase) -> None:
    (large.path / "vectors.json").write_text('{"probes": 3, "x": 1}', encoding="utf-8")

    assert read_vector_index(large.path).probes == 64
