"""Trackers of generators' trainings: what they hear, and that nothing else changes."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from groundtune.config.compare import CompareSettings
from groundtune.config.training import TrainSettings
from groundtune.core.errors import MissingExtraError
from groundtune.core.fingerprint import file_sha256
from groundtune.recipes import tracking, tune_texts, writing
from groundtune.recipes import tune as tune_qa
from groundtune.recipes.comparison import adapters
from groundtune.recipes.tune import tune
from groundtune.recipes.tune_texts import tune_generator_on_texts
from groundtune.store.files import read_json
from groundtune.store.models import MANIFEST
from groundtune.systems.build import SystemSpec
from groundtune.tune import loop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.store.models import ModelFolder

SHORT = TrainSettings(
    rank=4,
    frozen_share=0.0,
    learning_rate=2e-2,
    epochs=3.0,
    batch_tokens=128,
    pack_tokens=96,
    warmup_steps=2,
    evaluations=2,
)
WORDS = ("tower", "bridge", "stone", "river", "oak", "hill", "wren", "alder")


def _here(
    work: Any, job: Any, *, on_item: Any = None, progress: Progress, **_: Any
) -> Any:
    channel = SimpleNamespace(emit=on_item, progress=progress)
    return SimpleNamespace(result=work(job, channel), seconds=1.0)


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of children is done here, in 32 bits: the self-test takes longer."""

    def plain(_: torch.device) -> torch.dtype:
        return torch.float32

    def untold(*args: Any, **options: Any) -> None:
        return None

    for module in (tune_texts, tune_qa):
        monkeypatch.setattr(module, "run_in_ranks", _here)
    for module in (writing, tune_qa):
        monkeypatch.setattr(module, "run_in_child", _here)
    for module in (writing, adapters):
        monkeypatch.setattr(module, "choose_dtype", plain)
    # Its pictures have tests of their own, and take as long as ten trainings.
    monkeypatch.setattr(tune_texts, "_present", untold)
    # The tiny model's tokenizer knows whole words, which OpenVINO cannot read.
    spec = partial(SystemSpec, runtime="transformers")
    monkeypatch.setattr(tune_qa, "SystemSpec", spec)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def translator(
    base: ModelFolder, embedder: ModelFolder, out: Path, **options: Any
) -> tune_texts.TextReport:
    rows = [
        {"source": f"{one} {other}", "target": f"built {one} built {one}"}
        for one in WORDS
        for other in WORDS[:3]
    ]
    out.parent.mkdir(exist_ok=True)
    return tune_generator_on_texts(
        "translation",
        train=write(out.parent / "train.jsonl", rows),
        dev=write(out.parent / "dev.jsonl", rows[:2]),
        test=write(out.parent / "test.jsonl", [{"source": "new", "target": "old"}]),
        base=str(base.path),
        embedder=str(embedder.path),
        out=out,
        settings=SHORT,
        runtime="transformers",
        **options,
    )


def heard(folder: Path) -> dict[str, dict[int, float]]:
    """What stands in the event file of a run: values by step, by name."""
    from tensorboard.backend.event_processing.event_file_loader import (
        LegacyEventFileLoader,
    )

    (file,) = folder.iterdir()
    found: dict[str, dict[int, float]] = {}
    for event in LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_a_translator_is_tracked_and_is_the_same_model(
    tiny_model: ModelFolder, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    told: list[str] = []
    report = translator(
        tiny_model,
        tiny_bert,
        tmp_path / "a/model",
        track="tensorboard",
        tell=told.append,
    )
    translator(tiny_model, tiny_bert, tmp_path / "b/model")

    training = read_json(tmp_path / "a/model" / MANIFEST)["training"]
    found = heard(tmp_path / "a/runs/translation-model")
    assert found["train/loss"] == pytest.approx(
        dict(enumerate(training["train_losses"], start=1)), abs=1e-3
    )
    assert found["dev/loss"] == pytest.approx(dict(training["dev_losses"]), abs=1e-3)
    rates = found["train/learning_rate"]
    assert list(rates) == list(found["train/tokens_a_second"])
    assert max(rates) == training["steps"]
    assert min(rates.values()) < max(rates.values()) <= SHORT.learning_rate
    assert found["test/chrf"] == pytest.approx(
        {training["steps"]: report.measures["tuned"]["chrf"]["value"]}
    )
    assert list(found["settings/text_summary"]) == [0]
    assert told == [f"tracked: tensorboard --logdir {tmp_path / 'a/runs'}"]
    one, other = (
        file_sha256(tmp_path / side / "model/model.safetensors") for side in "ab"
    )
    assert one == other


def test_a_tracked_training_goes_on_untracked_to_the_same_weights(
    tiny_model: ModelFolder,
    tiny_bert: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", float("inf"))
    translator(tiny_model, tiny_bert, tmp_path / "whole/model")
    seen: list[int] = []

    def cut(label: str, done: int, total: int | None) -> None:
        if label.startswith("training") and done == 11:
            raise KeyboardInterrupt

    def begun(label: str, done: int, total: int | None) -> None:
        if label.startswith("training"):
            seen.append(done)

    out = tmp_path / "cut/model"
    with pytest.raises(KeyboardInterrupt):
        translator(tiny_model, tiny_bert, out, track="tensorboard", progress=cut)
    translator(tiny_model, tiny_bert, out, progress=begun)

    assert seen[0] == 11, "it went on where it was"
    losses = heard(tmp_path / "cut/runs/translation-model")["train/loss"]
    assert list(losses) == list(range(1, 11)), "told every ten steps"
    one, other = (
        file_sha256(tmp_path / side / "model/model.safetensors")
        for side in ("whole", "cut")
    )
    assert one == other


def test_questions_and_answers_are_tracked(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    rows = [{"question": f"Who built {word}?", "answers": ["anna"]} for word in WORDS]
    tune(
        "qa",
        train=write(tmp_path / "train.jsonl", rows),
        dev=write(tmp_path / "dev.jsonl", rows[:2]),
        base=str(tiny_model.path),
        out=tmp_path / "model",
        settings=CompareSettings(closed_book=SHORT, answer_tokens=2, dev_cases=2),
        track="tensorboard",
    )

    training = read_json(tmp_path / "model" / MANIFEST)["training"]
    found = heard(tmp_path / "runs/qa-model")
    assert list(found["train/loss"]) == list(range(1, training["steps"] + 1))
    assert list(found["dev/loss"]) == [step for step, _ in training["dev_losses"]]
    assert list(found["dev/token_f1"]) == [training["steps"]]
    assert max(found["train/learning_rate"]) == training["steps"]
    assert "settings/text_summary" in found


class Failing:
    """A tracker whose server goes away after a few steps."""

    place = "nowhere"

    def __init__(self, *_: Any) -> None:
        self.steps: list[int] = []

    def settings(self, values: Mapping[str, object]) -> None:
        assert values["task"] == "translation"

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.steps.append(step)
        if step == 4:
            raise ConnectionError("server is gone\nmore of it")

    def close(self) -> None:
        raise AssertionError("not called once it is lost")


def test_a_tracker_that_fails_costs_no_training(
    tiny_model: ModelFolder,
    tiny_bert: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Failing] = []

    def opened(*_: Any) -> Failing:
        made.append(Failing())
        return made[-1]

    monkeypatch.setitem(tracking.__dict__["_OPENERS"], "tensorboard", opened)
    told: list[str] = []
    report = translator(
        tiny_model,
        tiny_bert,
        tmp_path / "model",
        track="tensorboard",
        tell=told.append,
    )

    assert report.test is not None
    assert made[0].steps == [1, 2, 3, 4]
    assert told == ["tensorboard hears no more of this training: server is gone"]


def test_a_missing_tracker_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(tracking.importlib.util, "find_spec", nothing)
    train, out = tmp_path / "none", tmp_path / "model"
    with pytest.raises(MissingExtraError, match="trackio is not installed"):
        tune_generator_on_texts("support", train=train, out=out, track="trackio")
    with pytest.raises(MissingExtraError, match="mlflow is not installed"):
        tune("qa", train=train, out=out, track="mlflow")
