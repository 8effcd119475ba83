"""`tune` for label tasks and `predict`: from a file of cases to a file of answers."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from groundtune.config.encoder import EncoderSettings, default_settings
from groundtune.core.errors import ConfigError, DataError, ModelLoadError
from groundtune.recipes import tune_labels as recipe
from groundtune.recipes.labels import training
from groundtune.recipes.predict import predict
from groundtune.recipes.tune_labels import tune_encoder
from groundtune.systems.labeller import open_labeller

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder

LABELS = ("late", "lost", "paid")
WORDS = ("the", "a", "card", "arrived", "my", "not", "where", "who", "anna", "in", "of")
SETTINGS = EncoderSettings(
    learning_rate=2e-3, head_rate=5e-3, epochs=6.0, batch_items=8, max_tokens=24
)


def texts(count: int, *, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        words = [str(word) for word in rng.choice(WORDS, int(rng.integers(2, 9)))]
        words.insert(int(rng.integers(len(words))), LABELS[number % 3])
        rows.append({"text": " ".join(words), "label": LABELS[number % 3]})
    return rows


def sentences(count: int, *, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        tokens = [str(word) for word in rng.choice(WORDS, 30)]
        tags = ["O"] * len(tokens)
        place = int(rng.integers(28))
        tokens[place : place + 2] = ["oslo", "rome"]
        tags[place : place + 2] = ["B-place", "I-place"]
        rows.append({"tokens": tokens, "tags": tags})
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class Here:
    """Does the work of a child in this process, where torch is loaded already."""

    def emit(self, item: object) -> None:
        raise AssertionError(item)

    def progress(self, label: str, done: int, total: int | None) -> None:
        assert label
        assert total is None or done <= total


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(work: Any, job: Any, **_: Any) -> Any:
        return SimpleNamespace(result=work(job, Here()))

    monkeypatch.setattr(recipe, "run_in_child", run)

    def plain(_: torch.device) -> torch.dtype:
        return torch.float32

    # The self-test takes longer than these trainings.
    monkeypatch.setattr(training, "choose_dtype", plain)


def tuned(
    task: str, base: ModelFolder, folder: Path, **options: Any
) -> recipe.LabelReport:
    make = sentences if task == "ner" else texts
    chosen: dict[str, Any] = {"settings": SETTINGS, **options}
    return tune_encoder(
        task,
        train=write(folder / "train.jsonl", make(90, seed=1)),
        test=write(folder / "test.jsonl", make(30, seed=2)),
        base=str(base.path),
        out=folder / "model",
        **chosen,
    )


@pytest.mark.usefixtures("in_process")
def test_a_name_of_a_label_is_one_more_text_of_it(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    named, unnamed = (
        tuned(
            "classification",
            tiny_bert,
            tmp_path,
            settings=default_settings("head"),
            changes={"label_names": answer},
        )
        for answer in ("true", "false")
    )

    # The labels are words of the texts, so their names alone say what they stand for.
    assert named.measures["test"]["nll"] != unnamed.measures["test"]["nll"]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    "task", [pytest.param("classification", marks=pytest.mark.slow), "ner"]
)
def test_a_file_becomes_a_model_that_answers_as_it_was_measured(
    tiny_bert: ModelFolder, tmp_path: Path, task: str
) -> None:
    report = tuned(task, tiny_bert, tmp_path)

    assert report.dev is not None
    assert report.test is not None
    assert report.test["value"] > 0.6
    assert report.test["low"] < report.test["value"] <= report.test["high"]
    assert (report.strategy, report.why) == ("full", "as asked for")
    lines = (tmp_path / "model/evaluation/test.jsonl").read_text().splitlines()
    judged = [json.loads(line) for line in lines]

    out = tmp_path / "answers.jsonl"
    said = predict(report.model, source=tmp_path / "test.jsonl", out=out)

    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert said.rows == len(answers) == 30
    for answer, row, asked in zip(
        answers, judged, (tmp_path / "test.jsonl").read_text().splitlines(), strict=True
    ):
        assert answer.items() >= json.loads(asked).items()
        is_words = task == "ner"
        predicted = answer["prediction"] if is_words else [answer["prediction"]]
        scores = answer["scores"] if is_words else [answer["scores"]]
        logits = np.array(row["logits"])
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found = np.array([list(one.values()) for one in scores])
        # The processor may compute in bf16 here; it was measured in fp32.
        np.testing.assert_allclose(found, shares, atol=0.1)
        sure = shares.max(axis=1) > 0.65
        assert [p for p, s in zip(predicted, sure, strict=True) if s] == [
            p for p, s in zip(row["predicted"], sure, strict=True) if s
        ]


@pytest.mark.usefixtures("in_process")
def test_what_is_done_is_not_done_again_and_another_seed_is(
    tiny_bert: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(SETTINGS, epochs=1.0)
    first = tuned("sentiment", tiny_bert, tmp_path, settings=short)
    weights = (tmp_path / "model/model.safetensors").read_bytes()

    assert tuned("sentiment", tiny_bert, tmp_path, settings=short) == first
    tuned("sentiment", tiny_bert, tmp_path, settings=short, seed=1)
    assert (tmp_path / "model/model.safetensors").read_bytes() != weights
    names = {path.name for path in tmp_path.iterdir()}
    assert names <= {"model", "train.jsonl", "test.jsonl", ".model.lock"}


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_few_cases_are_trained_by_contrasts_without_dev(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    report = tuned("classification", tiny_bert, tmp_path, settings=None)

    assert report.strategy == "contrastive"
    assert "30 examples a label" in report.why
    assert (report.dev, report.temperature) == (None, 1.0)


@pytest.mark.usefixtures("in_process")
def test_a_head_alone_is_fitted_in_one_go(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    report = tuned(
        "classification", tiny_bert, tmp_path, settings=None, strategy="head"
    )

    assert report.test is not None
    assert report.test["value"] > 0.4
    assert report.why == "as asked for"


@pytest.mark.usefixtures("in_process")
def test_int8_says_what_it_changed(tiny_bert: ModelFolder, tmp_path: Path) -> None:
    report = tuned("classification", tiny_bert, tmp_path)
    source = tmp_path / "new.csv"
    with source.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["number", "review"])
        table.writerows([n, row["text"]] for n, row in enumerate(texts(20, seed=3)))

    said = predict(report.model, source=source, out=tmp_path / "out", is_int8=True)

    assert said.column == "review"
    assert said.int8 is not None
    assert said.int8["rows"] == 20
    assert 0.8 <= said.int8["same"] <= 1.0
    whole, rounded = (
        open_labeller(report.model, precision="f32", is_int8=flag).text_logits(
            [row["text"] for row in texts(20, seed=3)]
        )
        for flag in (False, True)
    )
    assert not np.array_equal(whole, rounded)


@pytest.mark.usefixtures("in_process")
def test_bad_input_changes_nothing(tiny_bert: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown strategy"):
        tuned("classification", tiny_bert, tmp_path, settings=None, strategy="best")
    with pytest.raises(ConfigError, match="cannot be trained by contrasts"):
        tuned("ner", tiny_bert, tmp_path, settings=None, strategy="contrastive")
    for change, problem in (
        ({"epoch": "3"}, "unknown setting 'epoch'"),
        ({"epochs": "many"}, "write a number"),
        ({"frozen_layers": "-1"}, "at least 0"),
    ):
        with pytest.raises(ConfigError, match=problem):
            tuned("classification", tiny_bert, tmp_path, changes=change)
    with pytest.raises(ConfigError, match="epochs does nothing where a head"):
        tuned(
            "classification",
            tiny_bert,
            tmp_path,
            settings=None,
            strategy="head",
            changes={"epochs": "3"},
        )
    one = write(tmp_path / "one.jsonl", [{"text": "a", "label": "x"}] * 2)
    with pytest.raises(DataError, match="nothing is to be told apart"):
        tune_encoder("classification", train=one, out=tmp_path / "m")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="is no model"):
        tune_encoder("classification", train=one, out=mine)
    assert (mine / "thesis.tex").exists()
    assert not (tmp_path / "model").exists()


@pytest.mark.usefixtures("in_process")
def test_predict_refuses_what_it_cannot_read(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    model = tuned(
        "sentiment", tiny_bert, tmp_path, settings=replace(SETTINGS, epochs=1)
    ).model
    out = tmp_path / "out.jsonl"
    rows = write(tmp_path / "in.jsonl", [{"text": "a card"}, {"text": 3}])

    with pytest.raises(DataError, match=r"in\.jsonl:2: 'text' is not a text"):
        predict(model, source=rows, out=out)
    with pytest.raises(DataError, match="no column 'text'"):
        predict(model, source=write(rows, [{"words": "a"}]), out=out)
    with pytest.raises(ModelLoadError, match="is an embedder"):
        predict(str(tiny_bert.path), source=rows, out=out)
    (tmp_path / "model" / "head.pkl").write_bytes(b"")
    with pytest.raises(ModelLoadError, match="can run code"):
        predict(model, source=rows, out=out)
    assert not out.exists()


@pytest.mark.slow
def test_in_a_process_of_its_own(tiny_bert: ModelFolder, tmp_path: Path) -> None:
    seen: list[str] = []

    def progress(label: str, done: int, total: int | None) -> None:
        seen.append(label)

    report = tuned("classification", tiny_bert, tmp_path, progress=progress)

    assert report.test is not None
    assert any("loss" in label for label in seen)
