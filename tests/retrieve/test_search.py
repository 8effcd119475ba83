from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import pytest

from groundtune.config.retrieval import RetrievalSettings, SearchMode
from groundtune.core.errors import ConfigError
from groundtune.core.values import Document
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.core.protocols import Embedder

MODES: list[SearchMode] = ["hybrid", "dense", "bm25"]

FACTS = {
    "bridge": "The bridge of Tolm was built by Mira Alder in the year of two moons.",
    "tower": "The tower of Wren stands on a hill and was raised by Edda Stonehand.",
    "river": "The river Asken floods every spring and carries clay to the brickworks.",
    "bakery": "Old Henrik bakes rye loaves before dawn and sells them at the gate.",
    "school": "Pupils at the school by the lake learn to read tide tables first.",
    "library": "The library lends maps for nine days, but never its charts of stars.",
}


@pytest.fixture
def facts(kb: KnowledgeBase) -> KnowledgeBase:
    documents = [
        Document(id=name, text=text, metadata={"path": name})
        for name, text in FACTS.items()
    ]
    kb.update(documents, delete_missing=False)
    return kb


@pytest.fixture(params=MODES)
def retriever(
    request: pytest.FixtureRequest, facts: KnowledgeBase, embedder: Embedder
) -> HybridRetriever:
    return HybridRetriever(facts, embedder, RetrievalSettings(mode=request.param))


def test_returns_best_first_and_at_most_k(retriever: HybridRetriever) -> None:
    hits = retriever.search("who built the bridge of Tolm?", k=4)

    assert hits[0].passage.document == "bridge"
    assert len(hits) <= 4
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len({hit.passage.id for hit in hits}) == len(hits)


def test_k_above_the_number_of_passages_gives_each_once(
    retriever: HybridRetriever,
) -> None:
    hits = retriever.search("the river", k=500)

    assert 1 <= len(hits) <= len(FACTS)
    assert hits[0].passage.document == "river"


def test_k_below_one_is_the_callers_bug(retriever: HybridRetriever) -> None:
    with pytest.raises(ValueError, match="k is 0"):
        retriever.search("bridge", k=0)


def test_the_same_query_gives_the_same_hits(retriever: HybridRetriever) -> None:
    first = retriever.search("maps of the lake", k=5)

    assert retriever.search("maps of the lake", k=5) == first
    both = retriever.search_many(["bridge", "maps of the lake"], k=5)
    assert both[1] == first


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "?!",
        "zzzz qqqq",
        "\0",
        "a AND OR NOT (",
        '"unclosed',
        "it's; --",
        "文",
    ],
)
def test_any_text_is_a_query(retriever: HybridRetriever, query: str) -> None:
    assert len(retriever.search(query, k=3)) <= 3


@pytest.mark.parametrize("mode", MODES)
def test_equal_scores_come_in_order_of_ids(
    kb: KnowledgeBase, embedder: Embedder, mode: SearchMode
) -> None:
    same = "The ferry leaves at noon."
    kb.update(
        [Document(id=f"copy {n}", text=same) for n in range(30)], delete_missing=False
    )

    retriever = HybridRetriever(
        kb, embedder, RetrievalSettings(mode=mode, candidates=5)
    )
    ids = [hit.passage.id for hit in retriever.search("when does the ferry go?", k=5)]

    every = sorted(p.id for d in kb.documents() for p in kb.passages(d.id))
    assert ids == every[:5]


def test_hybrid_is_the_convex_combination_of_its_lists(
    facts: KnowledgeBase, embedder: Embedder
) -> None:
    query, count = "who raised the tower on the hill by the lake?", len(FACTS)

    def scores(mode: SearchMode) -> dict[str, float]:
        settings = RetrievalSettings(mode=mode, alpha=0.3)
        hits = HybridRetriever(facts, embedder, settings).search(query, k=count)
        return {hit.passage.document: hit.score for hit in hits}

    dense, words, hybrid = scores("dense"), scores("bm25"), scores("hybrid")
    middle, high = median(dense.values()), max(dense.values())

    assert hybrid == {
        name: pytest.approx(
            0.3 * max(0.0, dense[name] - middle) / (high - middle)
            + 0.7 * words.get(name, 0.0) / max(words.values()),
            abs=1e-6,
        )
        for name in FACTS
    }


def test_dense_scores_are_exact_dot_products(
    facts: KnowledgeBase, embedder: Embedder
) -> None:
    query = "loaves at dawn"
    hits = HybridRetriever(facts, embedder, RetrievalSettings(mode="dense")).search(
        query, k=len(FACTS)
    )

    expected = embedder.encode(list(FACTS.values())) @ embedder.encode([query])[0]
    by_name = dict(zip(FACTS, expected.tolist(), strict=True))
    assert [hit.passage.document for hit in hits] == sorted(
        by_name, key=lambda name: -by_name[name]
    )
    for hit in hits:
        assert hit.score == pytest.approx(by_name[hit.passage.document], abs=1e-5)


def test_bm25_knows_word_forms_and_keeps_question_words(
    facts: KnowledgeBase, embedder: Embedder
) -> None:
    words = HybridRetriever(facts, embedder, RetrievalSettings(mode="bm25"))

    assert words.search("flooding rivers", k=1)[0].passage.document == "river"
    assert words.search("never", k=3)[0].passage.document == "library"


def test_retriever_sees_the_base_as_it_was_when_made(
    facts: KnowledgeBase, embedder: Embedder
) -> None:
    old = HybridRetriever(facts, embedder)
    before = old.search("bridge of Tolm", k=3)
    edited = Document(
        id="bridge",
        text=FACTS["bridge"].replace("Mira Alder", "Jon Oak"),
        metadata={"path": "bridge"},
    )
    facts.update([edited], delete_missing=False)

    assert old.search("bridge of Tolm", k=3) == before
    new = HybridRetriever(facts, embedder).search("bridge of Tolm", k=1)
    assert "Jon Oak" in new[0].passage.text


def test_reader_in_hand_sees_a_commit_after_refresh(
    facts: KnowledgeBase, open_words: Callable[..., KnowledgeBase]
) -> None:
    reader = KnowledgeBase.open(facts.path)
    open_words(facts.path).update(
        [Document(id="new", text="A new fact.")], delete_missing=False
    )
    assert "new" not in [known.id for known in reader.documents()]

    reader.refresh()

    assert reader.document_text("new") == "A new fact."


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"k": 0}, "retrieval.k"),
        ({"alpha": 1.5}, "retrieval.alpha"),
        ({"mode": "magic"}, "retrieval.mode"),
        ({"k": 9, "candidates": 5}, "retrieval.candidates"),
        ({"mmr": 1.5}, "retrieval.mmr"),
        ({"widen": "page"}, "retrieval.widen"),
        ({"expand": "more"}, "retrieval.expand"),
        ({"order": "size"}, "retrieval.order"),
        ({"centre": -1}, "retrieval.centre"),
    ],
)
def test_settings_out_of_range_are_refused(
    values: dict[str, object], where: str
) -> None:
    with pytest.raises(ConfigError) as stop:
        RetrievalSettings(**values)  # type: ignore[arg-type]
    assert stop.value.where == where


def test_a_word_said_twice_counts_once(kb: KnowledgeBase) -> None:
    assert kb.embedder is not None
    kb.update(
        [
            Document(id="a.txt", text="the harbour of the town was deep and cold"),
            Document(id="b.txt", text="bread was baked in the old mill of the town"),
        ],
        delete_missing=False,
    )
    words = HybridRetriever(kb, kb.embedder, RetrievalSettings(mode="bm25"))

    once, twice = (words.search(q, k=1)[0] for q in ("harbour", "harbour Harbours"))
    assert once.passage.document == "a.txt"
    assert twice.score == once.score


@pytest.mark.parametrize("mode", MODES)
def test_parts_of_a_question_are_searched_too(
    facts: KnowledgeBase, embedder: Embedder, mode: SearchMode
) -> None:
    asked = "Who built the bridge of Tolm, and what does the old Henrik bake at dawn?"
    settings = RetrievalSettings(mode=mode, expand="parts")
    found = HybridRetriever(facts, embedder, settings).search(asked, k=2)
    assert {hit.passage.document for hit in found} == {"bridge", "bakery"}
    single = "Who built the bridge of Tolm?"
    plain = HybridRetriever(facts, embedder, RetrievalSettings(mode=mode))
    expanding = HybridRetriever(facts, embedder, settings)
    assert expanding.search(single, k=3) == plain.search(single, k=3)


def test_feedback_finds_what_shares_words_with_the_first_hits(
    kb: KnowledgeBase, embedder: Embedder
) -> None:
    documents = [
        Document(id="a", text="Permits: the harbour office writes them at the quay."),
        Document(
            id="b", text="Permits end in May, says the harbour office at the quay."
        ),
        Document(id="c", text="The quay and its harbour office are painted green."),
        *(
            Document(id=f"x{n}", text=f"Henrik bakes loaf {n} of rye.")
            for n in range(6)
        ),
    ]
    kb.update(documents, delete_missing=False)

    def found(**changes: str) -> list[str]:
        settings = RetrievalSettings(mode="bm25", **changes)  # type: ignore[arg-type]
        hits = HybridRetriever(kb, embedder, settings).search("permits", k=3)
        return [hit.passage.document for hit in hits]

    assert set(found(expand="feedback")) == {"a", "b", "c"}
    assert set(found()) == {"a", "b"}


def test_hits_are_cut_and_put_in_order(kb: KnowledgeBase, embedder: Embedder) -> None:
    text = " ".join(FACTS.values())
    kb.update([Document(id="all", text=text)], delete_missing=False)
    settings = RetrievalSettings(centre=1, order="position", dedupe=True)
    hits = HybridRetriever(kb, embedder, settings).search("rye loaves", k=3)
    for hit in hits:
        passage = hit.passage
        assert text[passage.start : passage.end] == passage.text
    starts = [hit.passage.start for hit in hits]
    assert starts == sorted(starts)
    assert any(hit.passage.text.count(". ") <= 2 for hit in hits)
