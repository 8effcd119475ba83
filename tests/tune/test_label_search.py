"""Searching settings of a label model, budgets, and what is looked at before both."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from groundtune.config.encoder import EncoderSettings, default_settings
from groundtune.core.errors import ConfigError, DataError, MissingExtraError
from groundtune.core.fingerprint import file_sha256
from groundtune.recipes import tracking
from groundtune.recipes import tune_labels as recipe
from groundtune.recipes.labels import search, training
from groundtune.recipes.labels.budget import Decision
from groundtune.recipes.labels.space import search_space
from groundtune.recipes.tune_labels import tune_encoder
from groundtune.store.files import read_json
from groundtune.store.models import MANIFEST
from groundtune.tune.checkpoint import TrainState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.store.models import ModelFolder

LABELS = ("late", "lost", "paid")
WORDS = ("the", "a", "card", "arrived", "my", "not", "where", "who", "anna", "in", "of")
SHORT = EncoderSettings(
    learning_rate=2e-3, head_rate=5e-3, epochs=2.0, batch_items=16, max_tokens=24
)


def texts(count: int, *, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        words = [str(word) for word in rng.choice(WORDS, int(rng.integers(6, 12)))]
        words.insert(int(rng.integers(len(words))), LABELS[number % 3])
        rows.append({"text": " ".join(words), "label": LABELS[number % 3]})
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class Here:
    """Does the work of a child in this process, where torch is loaded already."""

    def __init__(self, hear: Callable[[Any], None]) -> None:
        self._hear = hear
        self.labels: list[str] = []

    def emit(self, item: object) -> None:
        self._hear(item)

    def progress(self, label: str, done: int, total: int | None) -> None:
        assert total is None or done <= total
        self.labels.append(label)


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> list[Here]:
    used: list[Here] = []

    def run(
        work: Any, job: Any, *, on_item: Callable[[Any], None] = print, **_: Any
    ) -> Any:
        used.append(Here(on_item))
        return SimpleNamespace(result=work(job, used[-1]))

    monkeypatch.setattr(recipe, "run_in_child", run)

    def plain(_: torch.device) -> torch.dtype:
        return torch.float32

    def untold(*args: Any, **options: Any) -> None:
        return None

    # Its pictures have tests of their own, and take as long as ten trainings.
    monkeypatch.setattr(recipe, "present_model", untold)
    # The self-test takes longer than these trainings.
    monkeypatch.setattr(training, "choose_dtype", plain)
    return used


def tuned(base: ModelFolder, folder: Path, **options: Any) -> recipe.LabelReport:
    given: dict[str, Any] = {"settings": SHORT, **options}
    count = given.pop("count", 60)
    return tune_encoder(
        "classification",
        train=write(folder / "train.jsonl", texts(count, seed=1)),
        base=str(base.path),
        out=folder / "model",
        **given,
    )


def test_the_space_holds_what_stands_and_stays_within_what_is_given() -> None:
    chosen = default_settings("full")
    space = search_space(
        chosen, is_auto=True, is_words=False, changes={"epochs": "5", "rank": "8"}
    )

    assert [start.strategy for start in space.starts] == ["full", "head", "lora"]
    assert space.points() == float("inf")
    first, head, lora = space.planned()
    assert first["full.learning_rate"] == chosen.learning_rate
    assert head == {"strategy": "head", "head.label_smoothing": 0.0}
    assert set(lora) == {"strategy", "lora.learning_rate"}
    alone = search_space(
        default_settings("head"), is_auto=False, is_words=False, changes={}
    )
    assert alone.points() == 4


def without_seconds(found: dict[str, Any] | None) -> list[dict[str, Any]]:
    assert found is not None
    return [
        {key: value for key, value in trial.items() if key != "seconds"}
        for trial in found["trials"]
    ]


@pytest.mark.parametrize("has_dev", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_search_that_was_stopped_ends_as_one_that_was_not(
    tiny_bert: ModelFolder,
    tmp_path: Path,
    channels: list[Here],
    monkeypatch: pytest.MonkeyPatch,
    has_dev: bool,
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    dev = write(tmp_path / "dev.jsonl", texts(100, seed=5)) if has_dev else None
    asked: dict[str, Any] = {
        "search": 3,
        "dev": dev,
        "settings": replace(SHORT, epochs=1.0, evaluations=2),
    }
    report = tuned(tiny_bert, whole, **asked)
    assert report.search is not None
    assert [trial["number"] for trial in report.search["trials"]] == [1, 2, 3]
    # Fewer than 100 dev cases: folds of the training cases choose.
    folds = "54 training cases in 5 folds"
    assert report.search["chosen_on"] == ("100 dev cases" if has_dev else folds)
    assert any("best 0." in label for label in channels[0].labels)

    real, calls = search.train_once, 0

    def fails(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == (2 if has_dev else 8):  # within the second trial
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(search, "train_once", fails)
    with pytest.raises(KeyboardInterrupt):
        tuned(tiny_bert, stopped, **asked)
    again = tuned(tiny_bert, stopped, **asked)

    assert without_seconds(again.search) == without_seconds(report.search)
    assert file_sha256(whole / "model/model.safetensors") == file_sha256(
        stopped / "model/model.safetensors"
    )
    assert read_json(stopped / "model" / MANIFEST)["search"] == again.search
    if has_dev:
        return
    more = tuned(tiny_bert, stopped, **{**asked, "search": 4})
    assert without_seconds(more.search)[:3] == without_seconds(report.search)


def test_dev_cases_choose_where_they_are_given_and_tests_never_do(
    tiny_bert: ModelFolder, tmp_path: Path, channels: list[Here]
) -> None:
    dev = write(tmp_path / "dev.jsonl", texts(100, seed=5))
    test = write(tmp_path / "test.jsonl", texts(30, seed=6))
    report = tuned(
        tiny_bert, tmp_path, dev=dev, test=test, search=2, settings=None,
        strategy="head",
    )  # fmt: skip
    assert report.search is not None
    assert report.search["chosen_on"] == "100 dev cases"
    assert report.search["trials"][0]["settings"] == {"label_smoothing": 0.0}
    scores = [trial["score"] for trial in report.search["trials"]]
    assert scores[report.search["chosen"] - 1] == max(scores)

    # The same trials, whatever the test cases are.
    other = write(tmp_path / "other.jsonl", texts(30, seed=7))
    again = tuned(
        tiny_bert, tmp_path, dev=dev, test=other, search=2, settings=None,
        strategy="head",
    )  # fmt: skip
    assert again.search == report.search


def test_a_trial_that_does_worse_than_others_is_given_up() -> None:
    import optuna

    study = optuna.create_study(
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2)
    )
    for _ in range(3):
        trial = study.ask()
        for place, loss in enumerate((0.5, 0.4, 0.3, 0.2)):
            trial.report(loss, place)
        study.tell(trial, 0.2)
    observe = search.judge(study.ask())
    state = TrainState(plan="p", dev_losses=[(0, 0.9), (10, 0.9)])
    observe(state)
    state.dev_losses.append((20, 0.9))
    with pytest.raises(search.GivenUpError):
        observe(state)


def test_a_budget_is_decided_once(
    tiny_bert: ModelFolder, tmp_path: Path, channels: list[Here]
) -> None:
    long = replace(SHORT, epochs=4000.0)
    report = tuned(tiny_bert, tmp_path, settings=long, budget_seconds=4.0)

    assert report.budget is not None
    decided = Decision(**report.budget)
    assert 0 < decided.epochs < 4000
    assert decided.steps == 16_000
    assert read_json(tmp_path / "model" / MANIFEST)["training"]["settings"][
        "epochs"
    ] == pytest.approx(decided.epochs)
    with pytest.raises(ConfigError, match="do not do"):
        tuned(tiny_bert, tmp_path, settings=long, budget_seconds=0.001)


def test_a_budget_that_is_written_down_is_not_measured_again(
    tiny_bert: ModelFolder,
    tmp_path: Path,
    channels: list[Here],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from groundtune.recipes.labels import budget

    real = budget.measure_speed
    seen: list[int] = []

    def measured(*args: Any, **options: Any) -> Any:
        seen.append(1)
        return real(*args, **options)

    monkeypatch.setattr(budget, "measure_speed", measured)
    stop = training.train_labels
    monkeypatch.setattr(training, "train_labels", _stopped)
    with pytest.raises(KeyboardInterrupt):
        tuned(tiny_bert, tmp_path, budget_seconds=30.0)
    monkeypatch.setattr(training, "train_labels", stop)
    report = tuned(tiny_bert, tmp_path, budget_seconds=30.0)

    assert seen == [1]
    assert report.budget is not None
    assert report.budget["epochs"] == SHORT.epochs


def _stopped(*args: Any, **options: Any) -> Any:
    raise KeyboardInterrupt


def test_test_texts_are_left_out_of_training_and_errors_stop_it(
    tiny_bert: ModelFolder, tmp_path: Path, channels: list[Here]
) -> None:
    rows = texts(60, seed=1)
    leaked = [{**row, "text": row["text"].title() + "."} for row in rows[:3]]
    test = write(tmp_path / "test.jsonl", [*leaked, *texts(30, seed=6)])
    told: list[str] = []
    report = tuned(
        tiny_bert,
        tmp_path,
        test=test,
        settings=replace(SHORT, strategy="head", epochs=10.0),
        tell=told.append,
    )
    assert told[2] == "left out of train.jsonl, since test.jsonl has the same text: 3"
    assert told[0] == "train.jsonl: 60 cases, jsonl, text=text, label=label"
    files = report.data["files"]
    assert files["train"]["left_out"] == {"test": 3}
    assert files["train"]["cases"] == 57
    assert files["test"]["cases"] == 33
    unseen = write(tmp_path / "unseen.jsonl", [{"text": "a b c", "label": "new"}] * 2)
    with pytest.raises(DataError, match="label that train does not have") as stopped:
        tuned(tiny_bert, tmp_path, test=unseen)
    assert "--accept unseen_labels" in stopped.value.fix
    assert "unseen.jsonl:1" in stopped.value.where
    with pytest.raises(DataError, match="every text also stands in"):
        tuned(tiny_bert, tmp_path, dev=tmp_path / "train.jsonl")


def test_roles_say_which_column_is_which(
    tiny_bert: ModelFolder, tmp_path: Path, channels: list[Here]
) -> None:
    rows = [
        {"text": row["text"], "note": "x", "topic": row["label"], "label": str(n % 2)}
        for n, row in enumerate(texts(60, seed=1))
    ]
    report = tune_encoder(
        "classification",
        train=write(tmp_path / "rows.jsonl", rows),
        base=str(tiny_bert.path),
        out=tmp_path / "model",
        roles={"label": "topic"},
        strategy="head",
    )
    assert report.labels == sorted(LABELS)
    manifest = read_json(tmp_path / "model" / MANIFEST)
    assert manifest["data"]["files"]["train"]["roles"]["label"] == "topic"


def test_tensorboard_gets_losses_scores_and_settings(
    tiny_bert: ModelFolder, tmp_path: Path, channels: list[Here]
) -> None:
    told: list[str] = []
    test = write(tmp_path / "test.jsonl", texts(30, seed=6))
    tuned(tiny_bert, tmp_path, test=test, track="tensorboard", tell=told.append)

    from tensorboard.backend.event_processing.event_file_loader import (
        LegacyEventFileLoader,
    )

    (file,) = (tmp_path / "runs/classification-model").iterdir()
    found: dict[str, list[int]] = {}
    for event in LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(event.step)
    steps = read_json(tmp_path / "model" / MANIFEST)["training"]["steps"]
    assert found["train/loss"] == list(range(1, steps + 1))
    assert found["dev/loss"][0] == 0
    assert found["test/accuracy"] == [steps]
    assert "settings/text_summary" in found
    assert "tensorboard --logdir" in told[-1]


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="unknown tracker"):
        tracking.check_tracker("paper")

    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(tracking.importlib.util, "find_spec", nothing)
    with pytest.raises(MissingExtraError, match="trackio is not installed") as refused:
        tune_encoder(
            "sentiment",
            train=tmp_path / "none",
            out=tmp_path / "m",
            track="trackio",
        )
    assert "pip install trackio" in refused.value.fix
