"""What happens to a ranked list: diversity, widening, memory, settings."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.config.retrieval import RetrievalSettings, Widening
from groundtune.core.errors import ConfigError
from groundtune.core.values import Block, Document
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.settings import read_settings, write_settings
from groundtune.retrieve.widen import widen_hits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.core.protocols import Embedder
    from groundtune.core.values import Hit
    from groundtune.retrieve.index import KnowledgeBase


def guide() -> Document:
    """Two sections of six paragraphs, each a passage of its own."""
    blocks: list[Block] = []
    text = ""
    for section in ("Boats", "Trains"):
        blocks.append(Block("heading", len(text), len(text) + len(section), 1))
        text += f"{section}\n\n"
        for number in range(6):
            words = f"{section.lower()} fact {number} says that one goes far away"
            words += " and comes home in the evening with many good things to tell."
            blocks.append(Block("paragraph", len(text), len(text) + len(words)))
            text += f"{words}\n\n"
    return Document(id="guide", text=text, blocks=tuple(blocks))


@pytest.fixture
def guides(kb: KnowledgeBase) -> KnowledgeBase:
    kb.update([guide()], delete_missing=False)
    return kb


def test_mmr_keeps_copies_apart(kb: KnowledgeBase, embedder: Embedder) -> None:
    kb.update(
        [
            *(Document(id=f"copy {n}", text="The ferry is red.") for n in range(5)),
            Document(id="other", text="A ferry sails over the wide lake today."),
        ],
        delete_missing=False,
    )

    def names(mmr: float | None) -> list[str]:
        retriever = HybridRetriever(kb, embedder, RetrievalSettings(mmr=mmr))
        hits = retriever.search("is the ferry red?", k=2)
        return [hit.passage.document for hit in hits]

    assert "other" not in names(None)
    assert names(1.0) == names(None)
    assert names(0.3)[1] == "other"


@pytest.mark.parametrize("how", ["neighbours", "section"])
def test_a_widened_hit_is_a_longer_cut_of_its_document(
    guides: KnowledgeBase, embedder: Embedder, how: Widening
) -> None:
    plain = HybridRetriever(guides, embedder)
    wide = HybridRetriever(guides, embedder, RetrievalSettings(widen=how))
    text = guide().text

    for query in ("boats fact 2", "boats fact 5", "trains fact 0", "trains fact 3"):
        found, widened = plain.search(query, k=1)[0], wide.search(query, k=1)[0]

        passage = widened.passage
        assert text[passage.start : passage.end] == passage.text
        assert found.passage.text in passage.text
        assert passage.id == found.passage.id
        assert widened.score == found.score
        assert len(passage.text) > len(found.passage.text)
        if how == "section":
            section, other = query.split()[0], {"boats", "trains"} - {query.split()[0]}
            assert section in passage.text
            assert other.pop() not in passage.text


def test_widened_hits_do_not_repeat_each_other(
    guides: KnowledgeBase, embedder: Embedder
) -> None:
    hits = HybridRetriever(guides, embedder).search("boats fact", k=8)

    widened = widen_hits(guides, hits, how="neighbours")

    spans = sorted((hit.passage.start, hit.passage.end) for hit in widened)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert len(widened) <= len(hits)
    kept = "".join(hit.passage.text for hit in widened)
    assert all(hit.passage.text in kept for hit in hits)


def test_a_hit_of_a_document_that_changed_stays_as_it_was(
    guides: KnowledgeBase, embedder: Embedder
) -> None:
    hits = HybridRetriever(guides, embedder).search("boats fact 2", k=1)
    changed = replace(guide(), text=guide().text.replace("evening", "morning"))
    guides.update([changed], delete_missing=False)

    assert widen_hits(guides, hits, how="section") == hits

    guides.update([Document(id="x", text="Another.")], delete_missing=True)
    assert widen_hits(guides, hits, how="section") == hits


def test_a_query_asked_again_is_not_embedded_again(
    guides: KnowledgeBase, embedder: Any
) -> None:
    retriever = HybridRetriever(guides, embedder)
    before = embedder.embedded
    first = retriever.search_many(["boats", "trains", "boats"], k=3)
    again = retriever.search("trains", k=3)

    assert again == first[1]
    assert first[0] == first[2]
    assert embedder.embedded == before + 2
    again.clear()
    assert retriever.search("trains", k=3) == first[1]
    assert len(retriever.search("trains", k=4)) == 4


def test_chosen_settings_are_kept_with_the_knowledge_base(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == RetrievalSettings()
    chosen = RetrievalSettings(k=5, alpha=0.7, mmr=0.8, widen="section")

    write_settings(tmp_path, chosen, why={"measure": "ndcg@10", "dev": 0.7})

    assert read_settings(tmp_path) == chosen


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"settings": {"alpha": 3}}', '{"settings": {"beta": 1}}', "{}"],
)
def test_damaged_settings_are_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "retrieval.json").write_text(damage, encoding="utf-8")

    with pytest.raises(ConfigError) as stop:
        read_settings(tmp_path)

    assert stop.value.fix


def scores_of(hits: list[Hit]) -> dict[str, float]:
    return {hit.passage.id: hit.score for hit in hits}


def test_search_through_the_engine_equals_search_in_memory(
    guides: KnowledgeBase,
    embedder: Embedder,
    document: Callable[..., Document],
) -> None:
    guides.update(
        [document(f"note {n}", f"Boats of harbour {n} go far.") for n in range(30)],
        delete_missing=False,
    )
    for settings in (RetrievalSettings(), RetrievalSettings(mode="dense", mmr=0.5)):
        exact = HybridRetriever(guides, embedder, settings)
        engine = HybridRetriever(guides, embedder, settings, exact_limit=0)
        for query in ("boats fact 3", "harbour 7", "zzz"):
            mine = scores_of(exact.search(query, k=60))
            theirs = scores_of(engine.search(query, k=60))

            assert theirs == pytest.approx(mine, abs=1e-5)
