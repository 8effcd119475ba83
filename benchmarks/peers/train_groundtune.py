"""groundtune as a person gets it: the steps that `tune` runs, with defaults.

Only early stop is off, so that both sides train for the same epochs. Dev cases are
scored along the way and the best weights are kept, as ever, within the time measured;
so are caching the states of frozen layers and fitting the head. Memory is looked at
where training ends: what follows (merging, writing, comparing what was written with
what was trained) the others are not asked for.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundtune.config.encoder import default_settings
from groundtune.config.training import TrainSettings
from groundtune.core.protocols import silent
from groundtune.core.values import LabelCase, Message
from groundtune.measure.labels import accuracy
from groundtune.recipes.labelling import LabelJob, read_judged, train_label_model
from groundtune.recipes.writing import TextJob, train_text_model
from groundtune.tune.text_examples import TextCase

if TYPE_CHECKING:
    from collections.abc import Sequence

_EVALUATIONS = 10
_AFTER_TRAINING = ("merging", "writing")


class Training:
    """See `train_worker.Training`."""

    def __init__(self, job: dict[str, Any]) -> None:
        for library in ("torch", "transformers", "peft"):
            importlib.import_module(library)
        self._job = job
        self._out = Path(job["out"]) / "model"
        self._is_lora = job["kind"] == "lora"
        self._labels_job = None if self._is_lora else _label_job(job, self._out)

    def train(self) -> dict[str, float]:
        """See `train_worker.Training.train`."""
        watch = _Watch()
        if self._labels_job is None:
            record = train_text_model(_text_job(self._job, self._out), watch)
        else:
            record = train_label_model(self._labels_job, watch)
        training: dict[str, Any] = record["training"]
        return {
            **{key: float(training[key]) for key in ("seconds", "steps")},
            **watch.at_the_end,
        }

    def quality(self) -> float:
        """See `train_worker.Training.quality`."""
        if self._labels_job is None:
            return _answers(self._out, self._job["judged"])
        judged = read_judged(self._out, "test", self._labels_job.test)
        right = accuracy(
            [one.gold[0] for one in judged], [one.predicted[0] for one in judged]
        )
        return 100 * right


class _Watch:
    """See `recipes.child.Channel`; hears when training is over."""

    def __init__(self) -> None:
        self.at_the_end: dict[str, float] = {}
        self._cpu = _cpu_seconds()

    def emit(self, item: object) -> None:
        """Nothing is handed over."""

    def progress(self, label: str, done: int, total: int | None) -> None:
        """Look once, at the first word after training."""
        silent(label, done, total)
        if label in _AFTER_TRAINING and not self.at_the_end:
            unit = 1 if sys.platform == "darwin" else 1024
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
            self.at_the_end = {
                "peak_mb": peak / 1e6,
                "cpu_seconds": _cpu_seconds() - self._cpu,
            }


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system


def _label_job(job: dict[str, Any], out: Path) -> LabelJob:
    settings = default_settings("contrastive" if job["kind"] == "few" else "full")
    if job["kind"] != "few":
        settings = replace(
            settings,
            epochs=float(job["epochs"]),
            batch_items=job["batch"],
            frozen_layers=job["frozen"],
            evaluations=_EVALUATIONS,
            patience=_EVALUATIONS + 1,
        )
    return LabelJob(
        task="classification",
        base=job["model"],
        out=str(out),
        train=_cases("train", job["train"]),
        dev=_cases("dev", job["dev"]),
        test=_cases("test", job["test"]),
        labels=tuple(job["labels"]),
        settings=settings,
        why="benchmark",
        seed=job["seed"],
    )


def _cases(side: str, rows: Sequence[tuple[str, str]]) -> tuple[LabelCase, ...]:
    return tuple(
        LabelCase(id=f"{side}-{number}", text=text, label=label)
        for number, (text, label) in enumerate(rows)
    )


def _text_job(job: dict[str, Any], out: Path) -> TextJob:
    settings = TrainSettings(
        epochs=float(job["epochs"]),
        # A step holds about as many cases as a batch of the others.
        batch_tokens=job["batch_tokens"],
        pack_tokens=job["pack_tokens"],
        rank=job["rank"],
        alpha=job["alpha"],
    )
    settings = replace(settings, patience=settings.evaluations + 1)

    def cases(side: str) -> tuple[TextCase, ...]:
        return tuple(
            TextCase(f"{side}-{number}", (Message("user", asked),), said)
            for number, (asked, said) in enumerate(job[side])
        )

    return TextJob(
        task="translation",
        base=job["model"],
        out=str(out),
        train=cases("train"),
        dev=cases("dev"),
        instruction=job["instruction"],
        settings=settings,
        seed=job["seed"],
    )


def _answers(folder: Path, judged: list[tuple[list[int], list[int]]]) -> float:
    import torch
    from transformers import AutoModelForCausalLM

    measured: Any = importlib.import_module("train_answers")
    loader: Any = AutoModelForCausalLM
    model = loader.from_pretrained(folder, dtype=torch.float32)
    return measured.answer_accuracy(model, judged)
