"""Filters on a knowledge base: exact and indexed search, BM25 and both together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundtune.config.retrieval import RetrievalSettings, SearchMode
from groundtune.core.errors import ConfigError
from groundtune.core.values import Document
from groundtune.retrieve.filter import parse_filter
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from groundtune.core.protocols import Embedder
    from groundtune.retrieve.index import KnowledgeBase

MODES: list[SearchMode] = ["hybrid", "dense", "bm25"]

SPITEFUL = [
    "' OR '1'='1",
    "x'); DROP TABLE passages; --",
    'quo"te',
    "back\\slash",
    "new\nline",
    "semi;colon -- comment",
    "per%cent_under",
    "ümlaut 文",
    "`tick`",
]


FILTERS = [
    'document like "guides/*"',
    "document like notes/* and date >= 2024-06-01",
    "n < 3",
    "n >= 3",
    "has team",
    "not has team",
    "date = 2024-02 or n = 7",
    "lang = en and n in (1, 2, 30)",
]


def make_documents() -> list[Document]:
    made = [
        Document(
            id=f"{'guides' if n % 3 else 'notes'}/{n:02d}.md",
            text=f"The ferry number {n} leaves the harbour at noon every day.",
            metadata={"lang": "en", "date": f"2024-{n % 12 + 1:02d}-01", "n": str(n)},
        )
        for n in range(40)
    ]
    made += [
        Document(
            id=f"odd/{name}",
            text=f"The ferry of the odd harbour, number {number}, leaves at noon.",
            metadata={"team": name, "date": "2020-01-01"},
        )
        for number, name in enumerate(SPITEFUL)
    ]
    return made


@pytest.fixture(params=[100_000, 0], ids=["exact", "engine"])
def exact_limit(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def ferries(kb: KnowledgeBase) -> KnowledgeBase:
    kb.update(make_documents(), delete_missing=False)
    return kb


def test_every_mode_finds_exactly_what_passes(
    ferries: KnowledgeBase, embedder: Embedder, exact_limit: int
) -> None:
    known = [
        {**document.metadata, "document": document.id} for document in make_documents()
    ]
    for mode in MODES:
        settings = RetrievalSettings(mode=mode, k=3, candidates=3)
        retriever = HybridRetriever(
            ferries, embedder, settings, exact_limit=exact_limit
        )
        for text in FILTERS:
            where = parse_filter(text)
            expected = {one["document"] for one in known if where.matches(one)}
            assert expected

            every = retriever.search("ferry leaves at noon", k=100, where=where)
            few = retriever.search("ferry leaves at noon", k=2, where=where)

            assert {hit.passage.document for hit in every} == expected
            assert len(few) == min(2, len(expected))
            assert {hit.passage.document for hit in few} <= expected


def test_names_and_values_never_reach_the_engine(
    ferries: KnowledgeBase, embedder: Embedder, exact_limit: int
) -> None:
    retriever = HybridRetriever(ferries, embedder, exact_limit=exact_limit)
    for name in SPITEFUL:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        for text in (f'team = "{quoted}"', f'document = "odd/{quoted}"'):
            hits = retriever.search("ferry", k=100, where=parse_filter(text))

            assert [hit.passage.document for hit in hits] == [f"odd/{name}"]
            assert hits[0].metadata["team"] == name


def test_a_filter_that_nothing_passes_finds_nothing(
    ferries: KnowledgeBase, embedder: Embedder
) -> None:
    retriever = HybridRetriever(ferries, embedder)
    for text in ("team = \"' OR '1'='1' --\"", "n = 99"):
        assert retriever.search("ferry", k=5, where=parse_filter(text)) == []


def test_a_key_that_no_document_has_is_an_error_with_a_hint(
    ferries: KnowledgeBase, embedder: Embedder
) -> None:
    retriever = HybridRetriever(ferries, embedder)

    with pytest.raises(ConfigError, match="no document has 'laang'") as stop:
        retriever.search("ferry", k=5, where=parse_filter("laang = en"))

    assert "did you mean 'lang'?" in stop.value.fix
    # What readers may give is known even where nobody gave it.
    assert retriever.search("ferry", k=5, where=parse_filter("author = Ana")) == []


def test_a_retriever_may_have_a_filter_of_its_own(
    ferries: KnowledgeBase, embedder: Embedder
) -> None:
    retriever = HybridRetriever(ferries, embedder, where=parse_filter("n = 7"))

    assert [hit.metadata["n"] for hit in retriever.search("ferry", k=5)] == ["7"]
    other = retriever.search("ferry", k=5, where=parse_filter("n = 8"))
    assert [hit.metadata["n"] for hit in other] == ["8"]


def test_scores_under_a_filter_keep_their_order(
    ferries: KnowledgeBase, embedder: Embedder, exact_limit: int
) -> None:
    settings = RetrievalSettings(mode="bm25")
    retriever = HybridRetriever(ferries, embedder, settings, exact_limit=exact_limit)
    alone = {h.passage.id: h.score for h in retriever.search("number 7", k=100)}

    chosen = retriever.search("number 7", k=100, where=parse_filter("n < 9"))

    assert chosen[0].metadata["n"] == "7"
    assert [h.score for h in chosen] == [alone[h.passage.id] for h in chosen]


def test_language_is_kept_with_each_passage_and_stems_its_words(
    kb: KnowledgeBase, embedder: Embedder
) -> None:
    kb.update(
        [
            Document(
                id="de",
                text="Die Häuser in der Stadt sind alt und nicht sehr hoch gebaut.",
            ),
            Document(
                id="en",
                text="The houses in the town are old and they are not very high.",
            ),
            Document(id="said", text="Casas", metadata={"lang": "es-MX"}),
        ],
        delete_missing=False,
    )
    words = HybridRetriever(kb, embedder, RetrievalSettings(mode="bm25"))

    for query, name in (("Haus", "de"), ("house", "en"), ("casa", "said")):
        assert [h.passage.document for h in words.search(query, k=3)] == [name]
    german = words.search("old alt", k=3, where=parse_filter("lang = de"))
    assert [hit.passage.document for hit in german] == ["de"]
    spanish = words.search("casas", k=3, where=parse_filter("lang = es"))
    assert spanish[0].metadata["lang"] == "es"
