"""Choosing settings on a small collection and on cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.config.retrieval import RetrievalSettings
from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.recipes import optimize as recipe
from groundtune.recipes.ingest import ingest
from groundtune.recipes.optimization.front import front
from groundtune.recipes.optimization.measured import Measured
from groundtune.recipes.optimization.study import Space, best_of
from groundtune.recipes.optimize import optimize
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SMALL = SplitterSettings(target=16, maximum=24, minimum=2)


def measured(quality: float, *, ms: float = 1.0, shown: float = 1.0) -> Measured:
    return Measured(
        settings=RetrievalSettings(),
        gains=(quality,),
        search_ms=ms,
        shown=shown,
        size=200,
    )


def count_measures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Queries of each measurement, in order."""
    seen: list[int] = []
    inner = recipe.measure_search

    def counted(*args: Any, queries: Sequence[Any], **options: Any) -> Measured:
        seen.append(len(queries))
        return inner(*args, queries=queries, **options)

    monkeypatch.setattr(recipe, "measure_search", counted)
    return seen


def test_the_choice_is_never_below_what_it_is_compared_with(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    kb = tmp_path / "kb"
    report = optimize(kb=kb, beir=beir, embedder=words, trials=4)

    dev = {name: figure["value"] for name, figure in report.dev.items()}
    assert list(dev) == ["chosen", "default", "bm25", "dense"]
    assert dev["chosen"] >= max(dev.values()) - 1e-9
    gain = report.gain["dev"]["difference"]
    assert gain["value"] == pytest.approx(
        dev["chosen"] - max(dev["bm25"], dev["dense"])
    )
    assert gain["low"] <= gain["value"] <= gain["high"]
    assert {figure["n"] for figure in report.test.values()} == {22}
    assert report.tried == 4
    assert read_settings(kb) == RetrievalSettings(**report.settings)
    why = json.loads((kb / "retrieval.json").read_text())["why"]
    assert why["best_single"] == report.best_single
    assert (kb / "optimize" / "front.svg").read_text().startswith("<?xml")


@pytest.mark.slow
def test_interrupted_it_goes_on_and_ends_the_same(
    beir: Path, words: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = optimize(kb=tmp_path / "whole", beir=beir, embedder=words, trials=14)
    kb = tmp_path / "parts"
    seen = count_measures(monkeypatch)
    inner = recipe.measure_search

    def stop_at_the_sixth(*args: Any, **options: Any) -> Measured:
        if len(seen) == 3 + 6:  # after the three that everything is compared with
            raise KeyboardInterrupt
        return inner(*args, **options)

    monkeypatch.setattr(recipe, "measure_search", stop_at_the_sixth)
    with pytest.raises(KeyboardInterrupt):
        optimize(kb=kb, beir=beir, embedder=words, trials=14)
    monkeypatch.setattr(recipe, "measure_search", inner)
    seen.clear()
    again = optimize(kb=kb, beir=beir, embedder=words, trials=14)

    assert len(seen) == 3 + (14 - 6) + 4
    assert again.settings == whole.settings
    assert again.dev == whole.dev


@pytest.mark.slow
def test_cases_show_no_more_than_before(
    labelled: tuple[Path, Path], words: Any, tmp_path: Path
) -> None:
    docs, cases = labelled
    kb = tmp_path / "kb"
    ingest([docs], kb=kb, model=words, splitter=SMALL)

    report = optimize(kb=kb, cases=cases, embedder=words, trials=6)

    assert report.measure.startswith("ndcg@")
    assert report.dev["chosen"]["value"] >= report.dev["default"]["value"]
    assert report.test["chosen"]["n"] == report.test["bm25"]["n"] >= 20


@pytest.mark.slow
def test_another_size_of_passages_takes_the_place_of_the_old(
    labelled: tuple[Path, Path], words: Any, tmp_path: Path
) -> None:
    docs, cases = labelled
    kb = tmp_path / "kb"
    # So small that a passage with the year seldom names who it is about.
    tiny = SplitterSettings(target=8, maximum=9, minimum=0)
    ingest([docs], kb=kb, model=words, splitter=tiny)
    report = optimize(
        kb=kb, cases=cases, embedder=words, sizes=[60], trials=6, limit=40
    )

    base = KnowledgeBase.open(kb, embedder=words)
    assert base.stamp.splitter.target == report.size
    assert len(base.documents()) == 80
    assert read_settings(kb) == RetrievalSettings(**report.settings)
    if report.size == 60:
        before = KnowledgeBase.open(tmp_path / "kb-before", embedder=words)
        assert before.stamp.splitter == tiny
    assert not list(tmp_path.glob(".kb.size-*"))


def test_an_adapter_is_taken_where_unseen_questions_gain(
    tmp_path: Path, words: Any
) -> None:
    # Questions have words of their own for what the documents speak of, and there are
    # several questions on each document.
    folder = write_collection(tmp_path, questions=["xylo", "yarrow", "zephyr", "woad"])
    kb = tmp_path / "kb"
    report = optimize(kb=kb, beir=folder, embedder=words, trials=2)

    adapter = report.query_adapter
    assert adapter["taken"]
    assert adapter["gain"]["difference"]["low"] > 0
    assert report.test["chosen"]["value"] > report.test["default"]["value"] + 0.1
    assert read_settings(kb).query_adapter == report.settings["query_adapter"] != ""
    # Chosen again, nothing that the first adapter learned counts for it.
    again = optimize(kb=kb, beir=folder, embedder=words, trials=2)
    assert again.dev == report.dev
    assert again.settings == report.settings


def write_collection(tmp_path: Path, *, questions: Sequence[str]) -> Path:
    """Documents on trades, and questions that name a trade by a word of their own."""
    folder = tmp_path / "strange"
    (folder / "qrels").mkdir(parents=True)
    trades = [
        "smith",
        "weaver",
        "baker",
        "tanner",
        "cooper",
        "mason",
        "potter",
        "miller",
        "fuller",
        "glover",
    ]
    corpus = [
        {"_id": trade, "title": trade, "text": f"The {trade} worked in the old town."}
        for trade in trades
    ]
    asked = [
        {"_id": f"{trade}-{word}-{side}", "text": f"{word}{side} {trade[::-1]}"}
        for trade in trades
        for word in questions
        for side in ("train", "test")
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    for side in ("train", "test"):
        lines = [
            f"{query['_id']}\t{query['_id'].split('-')[0]}\t1"
            for query in asked
            if query["_id"].endswith(side)
        ]
        file = folder / "qrels" / f"{side}.tsv"
        file.write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    return folder


def test_a_small_space_is_a_grid() -> None:
    start = RetrievalSettings(alpha=0.5)
    space = Space(start=start, size=(200,), mmr=(None, 0.7))

    points = space.grid()
    assert space.points() == len(points) == 42
    assert points[0] == {"alpha": 0.5, "mmr": None}
    assert space.settings({"alpha": 0.3, "k": 200}).candidates == 200


def test_more_text_to_read_wins_nothing() -> None:
    few, much = measured(0.5, shown=100), measured(0.9, shown=500)

    assert best_of([few, much], most_shown=110) is few
    assert best_of([few, much], most_shown=900) is much
    same = measured(0.5, shown=100)
    assert best_of([few, same], most_shown=110) is few


def test_the_front_holds_what_nothing_beats() -> None:
    slow_best, fast, beaten = (
        measured(0.9, ms=9),
        measured(0.5, ms=1),
        measured(0.4, ms=5),
    )

    assert front([slow_best, beaten, fast]) == [fast, slow_best]


def test_one_source_of_queries_is_needed(beir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one source"):
        optimize(kb=tmp_path / "kb")
    with pytest.raises(ConfigError, match="one source"):
        optimize(kb=tmp_path / "kb", beir=beir, cases=beir)


def test_too_few_queries_are_refused(beir: Path, words: Any, tmp_path: Path) -> None:
    file = beir / "qrels" / "train.tsv"
    file.write_text("\n".join(file.read_text().splitlines()[:6]))

    with pytest.raises(DataError, match="5 queries to choose on"):
        optimize(kb=tmp_path / "kb", beir=beir, embedder=words)
