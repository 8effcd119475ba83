"""Comparisons of tasks that write, end to end on a tiny generator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.errors import ConfigError
from groundtune.core.values import Message
from groundtune.measure.texts import text_report
from groundtune.recipes.compare import compare
from groundtune.store.run import RunFolder
from groundtune.systems.text_arm import (
    ALWAYS,
    TextSpec,
    TextSystem,
    read_solved,
    with_shots,
)

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.measure.comparison import Summary
    from groundtune.store.models import ModelFolder

WORDS = ("tower", "bridge", "stone", "river", "oak", "hill", "wren", "alder")


def _pairs(path: Path, count: int, *, seed: int) -> Path:
    """A language in which a word is said twice, and `built` goes before it."""
    rng = np.random.default_rng(seed)
    lines: list[str] = []
    for _ in range(count):
        one, other, third = (str(word) for word in rng.choice(WORDS, 3))
        source, target = f"{one} {other} {third}", f"built {one} built {other}"
        lines.append(json.dumps({"source": source, "target": target}) + "\n")
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(scope="module")
def summary(folder: Path, tiny_model: ModelFolder, tiny_bert: ModelFolder) -> Summary:
    """All arms of a translation."""
    return compare(
        "translation",
        train=_pairs(folder / "train.jsonl", 60, seed=1),
        test=_pairs(folder / "test.jsonl", 10, seed=2),
        out=folder / "run",
        model=str(tiny_model.path),
        embedder=str(tiny_bert.path),
        changes={"epochs": "6", "learning_rate": "0.02", "pack_tokens": "128"},
    )


def test_every_arm_writes_to_every_case(summary: Summary, folder: Path) -> None:
    rows = RunFolder.open(folder / "run").rows()
    names = ("plain", "rag", "nearest_answer", "tuned", "both", "naive_both")
    counts = {name: sum(row["system"] == name for row in rows) for name in names}
    assert set(summary.arms) == {"plain", "rag", "tuned", "both"}
    assert len(set(counts.values())) == 1
    assert counts["plain"] == summary.counts.cases > 5
    assert not any(row["error"] for row in rows)
    solved = [row for row in rows if row["system"] in {"rag", "both", "nearest_answer"}]
    assert all(row["hits"] for row in solved)


def test_the_score_is_bleu_of_the_corpus(summary: Summary, folder: Path) -> None:
    rows = [
        row for row in RunFolder.open(folder / "run").rows() if row["system"] == "tuned"
    ]
    report = text_report(
        [row["prediction"] for row in rows], [row["answers"][0] for row in rows]
    )
    assert summary.measure == "bleu"
    assert 100 * summary.arms["tuned"].score.value == pytest.approx(report.bleu.value)
    chrf = summary.arms["tuned"].measures["chrf"].value
    assert 100 * chrf == pytest.approx(report.chrf.value)
    assert chrf > summary.arms["plain"].measures["chrf"].value


def test_no_test_source_stands_among_the_solved_cases(
    summary: Summary, folder: Path
) -> None:
    assert summary.arms
    solved = {c.asked for c in read_solved(folder / "run" / "cases" / "train.jsonl")}
    tested = {c.asked for c in read_solved(folder / "run" / "cases" / "test.jsonl")}
    assert solved
    assert not solved & tested


def test_the_nearest_answer_needs_no_model(
    summary: Summary, folder: Path, tiny_bert: ModelFolder
) -> None:
    assert summary.arms
    memory = folder / "run" / "cases" / "train.jsonl"
    spec = TextSpec(
        name="nearest_answer",
        task="translation",
        instruction="",
        max_tokens=1,
        model="there is none of this name",
        memory=str(memory),
        embedder=str(tiny_bert.path),
        threshold=ALWAYS,
    )
    known = read_solved(memory)[3]
    heard: list[str] = []
    answer = TextSystem(spec).answer(known, on_text=heard.append)
    nearest = answer.hits[0].passage
    assert answer.text == read_solved(memory)[nearest.start].target
    assert nearest.text.endswith(answer.text)
    assert heard == [answer.text]
    assert answer.usage.prompt_tokens == 0


def test_a_case_that_makes_the_engine_fail_is_a_row(
    tmp_path: Path, tiny_model: ModelFolder, tiny_bert: ModelFolder
) -> None:
    """A text without room in the context scores nothing, and the rest goes on."""
    test = _pairs(tmp_path / "test.jsonl", 6, seed=4)
    long = json.dumps({"source": "oak " * 700, "target": "built oak"})
    test.write_text(test.read_text() + long + "\n")
    summary = compare(
        "translation",
        train=_pairs(tmp_path / "train.jsonl", 60, seed=5),
        test=test,
        out=tmp_path / "run",
        arms=["plain", "rag"],
        model=str(tiny_model.path),
        embedder=str(tiny_bert.path),
    )
    rows = RunFolder.open(tmp_path / "run").rows()
    failed = [row for row in rows if row["error"]]
    assert {row["system"] for row in failed} == {"plain"}
    assert failed[0]["prediction"] == ""
    assert "room for" in failed[0]["error"]
    assert summary.arms["plain"].errors == 1
    assert any("plain failed on 1 row" in text for text in summary.warnings)


def test_what_a_test_case_asks_is_not_learned(
    tmp_path: Path, tiny_model: ModelFolder, tiny_bert: ModelFolder
) -> None:
    """A planted leak is left out of training, and that is told."""
    test = _pairs(tmp_path / "test.jsonl", 8, seed=6)
    train = _pairs(tmp_path / "train.jsonl", 60, seed=7)
    train.write_text(train.read_text() + test.read_text())
    told: list[str] = []
    compare(
        "translation",
        train=train,
        test=test,
        out=tmp_path / "run",
        arms=["rag"],
        model=str(tiny_model.path),
        embedder=str(tiny_bert.path),
        tell=told.append,
    )
    solved = {c.asked for c in read_solved(tmp_path / "run" / "cases" / "train.jsonl")}
    tested = {c.asked for c in read_solved(tmp_path / "run" / "cases" / "test.jsonl")}
    assert not solved & tested
    assert any("left out of training" in line for line in told)


def test_solved_cases_go_behind_the_system_turn() -> None:
    turns = (Message("system", "Be brief."), Message("user", "now?"))
    found = with_shots(turns, [("then?", "yes")])
    assert [turn.role for turn in found] == ["system", "user", "assistant", "user"]
    assert found[-1].content == "now?"


def test_an_endpoint_cannot_be_tuned(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be tuned"):
        compare(
            "translation",
            cases=_pairs(folder / "cases.jsonl", 60, seed=3),
            out=tmp_path / "run",
            model="http://127.0.0.1:9/v1#gpt",
        )
