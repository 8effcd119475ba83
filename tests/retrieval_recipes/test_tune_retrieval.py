"""Tuning the embedder of a base, to the switch or to none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.config.embedding import EmbedderSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.recipes import tune_retrieval as recipe
from groundtune.recipes.evaluate import open_collection
from groundtune.recipes.ingest import ingest
from groundtune.recipes.optimization.examples import (
    from_beir,
    from_cases,
    from_documents,
    training_pairs,
)
from groundtune.recipes.optimization.switching import embedder_of
from groundtune.recipes.tune_retrieval import tune_embedder
from groundtune.retrieve.embed import open_embedder
from groundtune.retrieve.index import KnowledgeBase

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder

SETTINGS = EmbedderSettings(learning_rate=2e-3, batch_pairs=8, epochs=2, max_tokens=64)


def test_right_passages_are_never_mined_as_wrong(
    labelled: tuple[Path, Path], words: Any, tmp_path: Path
) -> None:
    docs, cases = labelled
    ingest([docs], kb=tmp_path / "kb", model=words)
    base = KnowledgeBase.open(tmp_path / "kb", embedder=words)
    material = from_cases(base, cases, seed=0)
    pairs, pools = training_pairs(base, words, material)

    assert len(pairs) == len(material.train) > 40
    for pair in pairs:
        year_of = [line for line in pair.positive.splitlines() if line]
        assert year_of
        assert 1 <= len(pair.negatives) <= 4
        assert pair.positive not in pair.negatives
    assert all(not set(pool.right) & set(pool.wrong) for pool in pools)
    trained = {pair.query for pair in pairs}
    assert not trained & {query.text for query in material.held}
    assert not trained & {pool.query for pool in pools}


def test_made_questions_part_documents(
    labelled: tuple[Path, Path], words: Any, tmp_path: Path
) -> None:
    ingest([labelled[0]], kb=tmp_path / "kb", model=words)
    base = KnowledgeBase.open(tmp_path / "kb", embedder=words)
    material = from_documents(base, seed=0)
    pairs, _ = training_pairs(base, words, material)

    held = {query.group for query in material.held}
    assert held
    assert not held & {example.shunned for example in material.train}
    assert all(pair.query not in pair.positive for pair in pairs)
    gains = material.gains(base, words, material.dense_settings(_defaults()))
    assert len(gains) == len(material.held)
    assert all(0 <= gain <= 1 for gain in gains)


def _defaults() -> Any:
    from groundtune.config.retrieval import RetrievalSettings

    return RetrievalSettings()


def test_a_collection_without_train_queries_is_refused(
    beir: Path, words: Any, tmp_path: Path
) -> None:
    (beir / "qrels" / "train.tsv").unlink()

    with pytest.raises(DataError, match="'train'"):
        from_beir(beir, tmp_path / "kb", model=words, seed=0, progress=silent)


def test_questions_are_not_given_twice(beir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="twice"):
        tune_embedder(kb=tmp_path / "kb", cases=beir, beir=beir)


def test_a_budget_bounds_the_pairs() -> None:
    assert recipe.within_budget(SETTINGS, None) == SETTINGS
    assert recipe.within_budget(SETTINGS, 30).max_pairs == 200
    assert recipe.within_budget(SETTINGS, 0.01).max_pairs == 2


@pytest.mark.slow
def test_a_gain_is_switched_to_and_no_gain_is_not(
    beir: Path, tiny_encoder: ModelFolder, tmp_path: Path
) -> None:
    from groundtune.data.beir import read_beir

    kb = tmp_path / "kb"
    spec = str(tiny_encoder.path)
    old_embedder = open_embedder(tiny_encoder)
    _move_test_queries(beir)
    report = tune_embedder(
        kb=kb, beir=beir, base=spec, settings=replace(SETTINGS, epochs=12)
    )

    json.dumps(report.to_json())
    assert report.dense["gain"]["difference"]["value"] > 0
    assert not list(tmp_path.glob(".kb.*"))
    if report.switched:
        tuned = embedder_of(kb, "all-minilm-l6-v2")
        assert tuned == report.model == str(kb / "embedder")
        base, embedder = open_collection(
            read_beir(beir),
            kb=kb,
            model="all-minilm-l6-v2",
            splitter=None,
            progress=silent,
        )
        assert base.stamp.embedder == embedder.name != old_embedder.name
        before = KnowledgeBase.open(tmp_path / "kb-before", embedder=old_embedder)
        assert before.count == base.count
    else:
        assert KnowledgeBase.open(kb, embedder=old_embedder).count == 44
    still = tune_embedder(
        kb=tmp_path / "other",
        beir=beir,
        base=spec,
        settings=replace(SETTINGS, learning_rate=1e-9, epochs=1),
    )
    assert not still.switched
    assert KnowledgeBase.open(tmp_path / "other", embedder=old_embedder).count == 44


def _move_test_queries(beir: Path) -> None:
    """Let the test queries be dev queries: a larger held-out side."""
    (beir / "qrels" / "test.tsv").rename(beir / "qrels" / "dev.tsv")
    (beir / "qrels" / "test.tsv").write_text("q1\td1\t1\n")
