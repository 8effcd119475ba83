"""Cross-validation of label models: who judges whom, resuming, and what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from groundtune.config.encoder import EncoderSettings, default_settings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import file_sha256
from groundtune.measure.statistics import wilson
from groundtune.recipes import labelling
from groundtune.recipes import tune_labels as recipe
from groundtune.recipes.labels import folds as folds_module
from groundtune.recipes.labels import search, training
from groundtune.recipes.tune_labels import tune_encoder
from groundtune.store.files import read_json, read_json_lines
from groundtune.store.models import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.recipes.labels.training import LabelJob
    from groundtune.store.models import ModelFolder

LABELS = ("late", "lost", "paid")
WORDS = ("the", "a", "card", "arrived", "my", "not", "where", "who", "anna", "in", "of")
HEAD = default_settings("head")
SHORT = EncoderSettings(
    learning_rate=2e-3, head_rate=5e-3, epochs=1.0, batch_items=16, max_tokens=24
)


def texts(count: int, *, seed: int = 1, sizes: int = 1) -> list[dict[str, Any]]:
    """Cases of three labels, in groups of some size."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        words = [str(word) for word in rng.choice(WORDS, int(rng.integers(6, 12)))]
        label = LABELS[number % 3]
        words.insert(int(rng.integers(len(words))), label)
        rows.append({"text": " ".join(words), "label": label})
        if sizes > 1:
            rows[-1]["group"] = f"thread {number // sizes}"
    return rows


def sentences(count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        tokens = [str(word) for word in rng.choice(WORDS, 12)]
        tags = ["O"] * len(tokens)
        place = int(rng.integers(10))
        tokens[place : place + 2] = ["oslo", "rome"]
        tags[place : place + 2] = ["B-place", "I-place"]
        rows.append({"tokens": tokens, "tags": tags})
    return rows


class Here:
    """Does the work of a child in this process, where torch is loaded already."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def emit(self, item: object) -> None:
        raise AssertionError(item)

    def progress(self, label: str, done: int, total: int | None) -> None:
        assert total is None or done <= total
        self.labels.append(label)


@pytest.fixture(autouse=True)
def channels(monkeypatch: pytest.MonkeyPatch) -> list[Here]:
    used: list[Here] = []

    def run(work: Any, job: Any, **_: Any) -> Any:
        used.append(Here())
        return SimpleNamespace(result=work(job, used[-1]))

    def plain(_: torch.device) -> torch.dtype:
        return torch.float32

    monkeypatch.setattr(recipe, "run_in_child", run)
    # The self-test takes longer than these trainings.
    monkeypatch.setattr(training, "choose_dtype", plain)
    return used


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def untold(*args: Any, **options: Any) -> None:
        return None

    # Its pictures take as long as ten trainings.
    monkeypatch.setattr(recipe, "present_model", untold)


def spied(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[LabelJob]:
    """The jobs that a module trains."""
    real: Callable[..., Any] = module.train_once
    seen: list[LabelJob] = []

    def train(job: LabelJob, *args: Any, **options: Any) -> Any:
        seen.append(job)
        return real(job, *args, **options)

    monkeypatch.setattr(module, "train_once", train)
    return seen


def tuned(
    base: ModelFolder,
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    task: str = "classification",
    **options: Any,
) -> recipe.LabelReport:
    train = folder / "train.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {"settings": HEAD, "folds": 4, **options}
    return tune_encoder(
        task, train=train, base=str(base.path), out=folder / "model", **given
    )


@pytest.mark.usefixtures("no_page")
def test_each_case_is_judged_once_by_a_model_that_saw_none_of_its_group(
    tiny_bert: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, last = spied(monkeypatch, folds_module), spied(monkeypatch, labelling)
    report = tuned(tiny_bert, tmp_path, texts(60, sizes=3))

    assert len(parts) == 4
    judged = [case.id for job in parts for case in job.test]
    assert len(judged) == len(set(judged)) == 60
    for job in parts:
        assert len(job.train) + len(job.test) == 60
        assert not {c.group for c in job.train} & {c.group for c in job.test}
    # 60 cases would else give some of theirs for dev.
    assert (len(last[0].train), last[0].dev) == (60, ())

    found = report.cross_validation
    assert found is not None
    assert (report.dev, report.test) == (None, None)
    rows = read_json_lines(tmp_path / "model/evaluation/cross-validated.jsonl")
    right = [row["predicted"] == row["gold"] for row in rows]
    figure = found["figure"]
    assert figure["value"] == pytest.approx(sum(right) / 60)
    assert figure["low"] < figure["value"] < figure["high"]
    assert figure["n"] == found["cases"] == 60
    alone = wilson(sum(right), 60)
    assert figure["low"] < alone.low < alone.high < figure["high"]
    for part in found["parts"]:
        own = [
            r for row, r in zip(rows, right, strict=True) if row["fold"] == part["fold"]
        ]
        assert len(own) == part["cases"]
        assert part["value"] == pytest.approx(sum(own) / len(own))
    assert list(found["baselines"]) == ["majority", "zero-shot", "neighbours"]
    assert report.temperature == found["temperature"] != 1.0
    manifest = read_json(tmp_path / "model" / MANIFEST)
    assert manifest["cross_validation"]["figure"] == figure
    assert manifest["training"]["cases"] == {"train": 60, "dev": 0, "test": 0}
    assert {path.name for path in tmp_path.iterdir()} == {
        "model", "train.jsonl", ".model.lock",
    }  # fmt: skip


@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize(
    "stopped_in", ["folds", pytest.param("final", marks=pytest.mark.slow)]
)
def test_a_cross_validation_that_was_stopped_ends_as_one_that_was_not(
    tiny_bert: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped_in: str,
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    settings = HEAD if stopped_in == "folds" else SHORT
    report = tuned(tiny_bert, whole, texts(40), settings=settings)

    module = folds_module if stopped_in == "folds" else labelling
    real, left = module.train_once, 2 if stopped_in == "folds" else 0

    def fails(*args: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(module, "train_once", fails)
    with pytest.raises(KeyboardInterrupt):
        tuned(tiny_bert, stopped, texts(40), settings=settings)
    monkeypatch.setattr(module, "train_once", real)
    seen = spied(monkeypatch, folds_module)
    again = tuned(tiny_bert, stopped, texts(40), settings=settings)

    assert len(seen) == (2 if stopped_in == "folds" else 0)
    assert lasting(again) == lasting(report)
    assert file_sha256(whole / "model/model.safetensors") == file_sha256(
        stopped / "model/model.safetensors"
    )
    # What is done is not done again, and says the same to the last digit.
    assert tuned(tiny_bert, stopped, texts(40), settings=settings) == again
    assert len(seen) == (2 if stopped_in == "folds" else 0)
    tuned(tiny_bert, stopped, texts(40), settings=settings, folds=2)
    assert len(seen) == (4 if stopped_in == "folds" else 2)


def lasting(report: recipe.LabelReport) -> dict[str, Any]:
    """All of the cross-validation that no clock decides."""
    assert report.cross_validation is not None
    return {**report.cross_validation, "seconds": 0}


@pytest.mark.usefixtures("no_page")
def test_draws_differ_and_their_mean_is_told(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    found = tuned(tiny_bert, tmp_path, texts(40), folds=2, repeats=2).cross_validation

    assert found is not None
    rows = read_json_lines(tmp_path / "model/evaluation/cross-validated.jsonl")
    shares = [
        sum(row["predicted"] == row["gold"] for row in rows if row["draw"] == draw) / 40
        for draw in (1, 2)
    ]
    assert len(rows) == 80
    assert found["draws"] == pytest.approx(shares)
    assert shares[0] != shares[1]
    assert found["figure"]["value"] == pytest.approx(sum(shares) / 2)
    assert found["figure"]["n"] == 40
    assert [(p["draw"], p["fold"]) for p in found["parts"]] == [
        (draw, fold) for draw in (1, 2) for fold in (1, 2)
    ]


@pytest.mark.usefixtures("no_page")
def test_entities_are_cross_validated_over_all_sentences(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    report = tuned(
        tiny_bert, tmp_path, sentences(24), task="ner", settings=SHORT, folds=2
    )

    found = report.cross_validation
    assert found is not None
    assert (found["measure"], found["figure"]["n"]) == ("entity_f1", 24)
    assert list(found["measures"]["by_type"]) == ["place"]
    # Each name stands in both folds: a list of known names finds all of them.
    assert found["baselines"]["gazetteer"]["value"] == 1.0


@pytest.mark.usefixtures("no_page")
def test_each_fold_searches_settings_without_its_own_cases(
    tiny_bert: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, trials = spied(monkeypatch, folds_module), spied(monkeypatch, search)
    report = tuned(
        tiny_bert,
        tmp_path,
        texts(40),
        settings=None,
        strategy="head",
        folds=2,
        search=1,
    )

    # A setting in 5 folds: for each of the 2 parts, and for the model itself.
    assert len(trials) == 15
    for number, part in enumerate(parts):
        held = {case.id for case in part.test}
        for trial in trials[5 * number : 5 * number + 5]:
            assert not held & {case.id for case in (*trial.train, *trial.test)}
    assert report.search is not None
    found = report.cross_validation
    assert found is not None
    assert all(part["strategy"] == "head" for part in found["parts"])
    assert all("label_smoothing" in part["settings"] for part in found["parts"])


def test_page_and_card_say_where_the_figure_comes_from(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    report = tuned(tiny_bert, tmp_path, texts(30), folds=3)

    found = report.cross_validation
    assert found is not None
    for name in ("report.html", "README.md"):
        told = (tmp_path / "model" / name).read_text()
        assert "Cross-validation with 3 folds of the training cases" in told
        assert "The figures come from cross-validation" in told
        low, high = found["figure"]["low"], found["figure"]["high"]
        assert f"{found['figure']['value']:.3f} [{low:.3f}, {high:.3f}]" in told
        assert told.count(f"[{low:.3f}, {high:.3f}]") >= 2  # in the table as well
        for part in found["parts"]:
            assert f"{part['value']:.3f}" in told
        assert "never saw" not in told
    assert "What is taken for what" in (tmp_path / "model/report.html").read_text()


@pytest.mark.usefixtures("no_page")
def test_test_cases_are_kept_apart_from_the_folds(
    tiny_bert: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = spied(monkeypatch, folds_module)
    test = tmp_path / "test.jsonl"
    rows = texts(12, seed=9)
    test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = tuned(tiny_bert, tmp_path, texts(40), folds=2, test=test)

    assert report.test is not None
    assert report.test["n"] == 12
    assert {len(job.train) + len(job.test) for job in parts} == {40}
    asked = {row["text"] for row in rows}
    assert not any(
        getattr(case, "text", "") in asked
        for job in parts
        for case in (*job.train, *job.test)
    )


@pytest.mark.usefixtures("no_page")
def test_what_cannot_be_cut_is_refused_before_anything_is_trained(
    tiny_bert: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = spied(monkeypatch, folds_module)
    refused: list[dict[str, Any]] = [
        {"folds": 1},
        {"folds": 21},
        {"folds": 0, "repeats": 2},
    ]
    for wrong in refused:
        with pytest.raises(ConfigError, match="folds"):
            tuned(tiny_bert, tmp_path, texts(9), **wrong)
    with pytest.raises(DataError, match=r"3 texts or groups .* into 4 folds") as few:
        tuned(tiny_bert, tmp_path, texts(30, sizes=10))
    assert "train.jsonl" in few.value.where
    rare = [*texts(30), {"text": "where is anna", "label": "gone"}]
    with pytest.raises(DataError, match="all cases of 'gone' fall into one") as lone:
        tuned(tiny_bert, tmp_path, rare)
    assert "--accept lone_labels" in lone.value.fix
    assert parts == []

    told: list[str] = []
    report = tuned(
        tiny_bert, tmp_path, rare, accepted=["lone_labels"], tell=told.append
    )
    assert report.cross_validation is not None
    assert any("count as mistakes  [lone_labels]" in line for line in told)
    rows = read_json_lines(tmp_path / "model/evaluation/cross-validated.jsonl")
    assert [row["predicted"] for row in rows if row["gold"] == ["gone"]] != [["gone"]]


@pytest.mark.slow
@pytest.mark.usefixtures("no_page")
def test_contrasts_are_cross_validated_with_two_texts_a_label(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    few = replace(default_settings("contrastive"), epochs=1.0)
    found = tuned(tiny_bert, tmp_path, texts(6), settings=few, folds=2).cross_validation

    assert found is not None
    assert found["figure"]["n"] == 6
