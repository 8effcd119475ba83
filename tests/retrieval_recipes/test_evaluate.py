"""Evaluating retrieval on a small collection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.config.retrieval import RetrievalSettings
from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.values import Document
from groundtune.data.beir import read_beir
from groundtune.recipes.evaluate import WHOLE, evaluate, rank_documents
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.settings import write_settings

if TYPE_CHECKING:
    from pathlib import Path

SMALL = SplitterSettings(target=16, maximum=24, minimum=2)


def test_reports_every_retriever_with_intervals(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    report = evaluate("retrieval", beir=beir, kb=tmp_path / "kb", model=words)
    value = report.to_json()

    json.dumps(value)
    assert list(value["retrievers"]) == ["bm25", "dense", "hybrid"]
    for measures in value["retrievers"].values():
        assert list(measures) == ["ndcg@10", "recall@100", "mrr@10"]
        for figure in measures.values():
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
            assert figure["n"] == 22
    assert list(value["differences"]) == ["hybrid-bm25", "hybrid-dense"]
    gap = value["differences"]["hybrid-dense"]["difference"]
    figures = value["retrievers"]
    assert gap["value"] == pytest.approx(
        figures["hybrid"]["ndcg@10"]["value"] - figures["dense"]["ndcg@10"]["value"]
    )
    assert value["documents"] == 44


def test_a_base_that_stands_is_used_again(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    first = evaluate("retrieval", beir=beir, kb=tmp_path / "kb", model=words)
    embedded = words.embedded
    again = evaluate("retrieval", beir=beir, kb=tmp_path / "kb", model=words)

    assert again == first
    assert words.embedded - embedded <= 2 * 22  # queries alone


def test_documents_are_ranked_by_their_best_passage(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    base = KnowledgeBase.create_or_open(tmp_path / "kb", embedder=words, splitter=SMALL)
    collection = read_beir(beir)
    base.update(collection.documents(), delete_missing=True)
    assert base.count > 2 * len(base.documents())

    query = {"q5": collection.queries["q5"]}
    ranked = rank_documents(base, words, RetrievalSettings(), queries=query)["q5"]

    assert len(ranked) == len(set(ranked)) == 44
    assert "d5" in ranked[:5]


def test_one_passage_a_document_where_asked(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    report = evaluate(
        "retrieval", beir=beir, kb=tmp_path / "kb", model=words, splitter=WHOLE
    )

    assert report.passages == report.documents == 44


def test_settings_of_the_base_are_what_is_measured(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    kb = tmp_path / "kb"
    evaluate("retrieval", beir=beir, kb=kb, model=words)
    write_settings(kb, RetrievalSettings(alpha=1.0), why={})
    figures = evaluate("retrieval", beir=beir, kb=kb, model=words).retrievers

    assert figures["hybrid"]["mrr@10"].value == figures["dense"]["mrr@10"].value


def test_a_base_of_other_documents_is_left_alone(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    kb = KnowledgeBase.create_or_open(
        tmp_path / "kb", embedder=words, splitter=SplitterSettings()
    )
    mine = Document(id="mine.txt", text="My own words.", metadata={"path": "mine.txt"})
    kb.update([mine], delete_missing=False)

    with pytest.raises(DataError, match=r"'mine\.txt'"):
        evaluate("retrieval", beir=beir, kb=kb.path, model=words)
    kb.refresh()
    assert [stored.id for stored in kb.documents()] == ["mine.txt"]


def test_other_tasks_and_splits_are_refused(beir: Path, words: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be evaluated"):
        evaluate("qa", beir=beir, model=words)
    with pytest.raises(DataError, match="no judgements for the split 'dev'"):
        evaluate("retrieval", beir=beir, split="dev", model=words)
