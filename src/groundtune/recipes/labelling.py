"""Training of a label model in a process of its own, and its word on held-out cases.

What a task is made of (targets, names, its measure) meets here with what trains it.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.core.fingerprint import fingerprint
from groundtune.core.values import EntityCase
from groundtune.measure.calibration import fit_temperature
from groundtune.measure.entities import spans
from groundtune.measure.labels import accuracy
from groundtune.store.files import read_json, read_json_lines
from groundtune.store.models import MANIFEST, open_model
from groundtune.tune.checkpoint import TrainState
from groundtune.tune.encoder.contrastive import ContrastiveTrainer
from groundtune.tune.encoder.dataset import (
    UNKNOWN_LABEL,
    Item,
    TextCutter,
    text_items,
    word_items,
)
from groundtune.tune.encoder.evaluate import case_logits, item_logits
from groundtune.tune.encoder.export import write_label_model
from groundtune.tune.encoder.modify import apply_strategy
from groundtune.tune.encoder.pretrained import LabelModel, open_label_model
from groundtune.tune.encoder.probe import fit_head
from groundtune.tune.encoder.train import LabelTrainer, train_labels
from groundtune.tune.loop import run
from groundtune.tune.pretrained import (
    choose_device,
    choose_dtype,
    require_tune_extra,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from groundtune.config.encoder import EncoderSettings
    from groundtune.core.values import LabelCase
    from groundtune.recipes.child import Channel
    from groundtune.store.models import ModelFolder

    Case = LabelCase | EntityCase
    Floats = npt.NDArray[np.float32]

EVALUATION = "evaluation"
"""Folder beside the weights: what the model said of each dev and test case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelJob:
    """What to train on what. Paths as text: it crosses to another process."""

    task: str
    base: str
    out: str
    train: tuple[Case, ...]
    dev: tuple[Case, ...]
    test: tuple[Case, ...]
    labels: tuple[str, ...]
    """Labels of texts, or tags of words, in the order of the model's outputs."""
    settings: EncoderSettings
    why: str
    """Reason for the strategy."""
    seed: int

    @property
    def plan(self) -> str:
        """Fingerprint of all that decides the model, but for the base's weights."""
        parts: dict[str, Any] = asdict(self)
        del parts["out"]
        return fingerprint(parts)


class Judged(NamedTuple):
    """What a model says of one case."""

    id: str
    gold: list[str]
    """One label of a text, or a tag a word; so in all fields."""
    predicted: list[str]
    logits_W_L: Floats


def train_label_model(job: LabelJob, channel: Channel) -> dict[str, Any]:
    """Train, write the folder, judge dev and test cases; return the record.

    Interrupted and called again, it goes on from its last checkpoint; what is done is
    not done again.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        ModelLoadError: The base cannot take a head for labels.
        StoreError: The model cannot be written.
    """
    require_tune_extra()
    out = Path(job.out)
    base = open_model(job.base, kind="embedder", offline=True)
    plan = f"{job.plan}-{base.weights_sha256[:8]}"
    if (out / MANIFEST).exists():
        written: dict[str, Any] = read_json(out / MANIFEST)
        if written.get("plan") == plan:
            return written
    channel.progress("preparing", 0, None)
    trained = _train(job, base, channel)
    model, sides = trained.model, trained.sides
    autocast = _autocast(model, trained.dtype)
    logits = {
        side: case_logits(
            items,
            item_logits(model, items, autocast=autocast),
            cases=len(getattr(job, side)),
        )
        for side, items in sides.items()
        if side != "train" and items
    }
    temperature = _temperature(job, logits.get("dev", []))
    state = trained.state
    record: dict[str, Any] = {
        "task": job.task,
        "plan": plan,
        "template": {
            "input": "tokens" if _is_words(job) else "text",
            "max_tokens": trained.max_tokens,
        },
        "training": {
            "settings": asdict(job.settings),
            "why": job.why,
            "seed": job.seed,
            "dtype": str(trained.dtype).removeprefix("torch."),
            "device": model.device.type,
            "cases": {
                side: len(getattr(job, side)) for side in ("train", "dev", "test")
            },
            "texts_cut": trained.texts_cut,
            "steps": state.step,
            "best_step": state.best_step,
            "tokens": state.tokens,
            "seconds": round(trained.seconds, 2),
            "dev_losses": [[at, round(loss, 5)] for at, loss in state.dev_losses],
            "train_losses": [round(loss, 4) for loss in state.train_losses],
        },
    }
    channel.progress("writing", 0, None)
    files = {
        f"{EVALUATION}/{side}.jsonl": "".join(
            _row(case, rows_W_L / temperature, job.labels)
            for case, rows_W_L in zip(getattr(job, side), logits[side], strict=True)
        )
        for side in logits
    }
    shown = sides["dev"] or sides["test"] or sides["train"]
    write_label_model(
        model,
        base,
        out,
        compared=shown,
        temperature=temperature,
        record=record,
        files=files,
    )
    shutil.rmtree(_beside(out), ignore_errors=True)
    return read_json(out / MANIFEST)


def read_judged(out: Path, side: str, cases: Sequence[Case]) -> list[Judged]:
    """What the model said of the cases of a side, in their order."""
    rows = {
        row["id"]: row for row in read_json_lines(out / EVALUATION / f"{side}.jsonl")
    }
    return [
        Judged(
            case.id,
            gold_labels(case),
            list(rows[case.id]["predicted"]),
            np.array(rows[case.id]["logits"], np.float32),
        )
        for case in cases
    ]


def gold_labels(case: Case) -> list[str]:
    """The tags of a sentence, or the one label of a text."""
    return list(case.tags) if isinstance(case, EntityCase) else [case.label]


class _Trained(NamedTuple):
    model: LabelModel
    sides: dict[str, list[Item]]
    state: TrainState
    dtype: Any
    max_tokens: int
    texts_cut: int
    seconds: float


def _train(job: LabelJob, base: ModelFolder, channel: Channel) -> _Trained:
    import time

    settings, folder = job.settings, _beside(Path(job.out))
    device = choose_device()
    dtype = choose_dtype(device)
    is_words = _is_words(job)
    model = open_label_model(
        base, job.labels, is_words=is_words, dropout=settings.dropout, seed=job.seed
    ).to(device)
    limit = int(base.config.get("max_position_embeddings", settings.max_tokens))
    cutter = TextCutter(base.path, max_tokens=min(limit, settings.max_tokens))
    items = {
        side: _items(getattr(job, side), job.labels, cutter)
        for side in ("train", "dev", "test")
    }
    sides = {side: found for side, (found, _) in items.items()}
    began = time.perf_counter()
    autocast = _autocast(model, dtype)
    stamp = f"{base.name}@{base.weights_sha256[:8]}"
    if settings.strategy == "contrastive":
        pairs = ContrastiveTrainer(
            model,
            sides["train"],
            settings=settings,
            seed=job.seed,
            base=stamp,
            dtype=dtype,
        )
        state = run(pairs, folder=folder, label="training", progress=channel.progress)
        pairs.weights.use_best()
        fit_head(model, sides["train"], settings=settings, autocast=autocast)
    elif settings.strategy == "head" and not is_words:
        # The best linear head is found in one go: there is nothing to step towards.
        channel.progress("fitting the head", 0, None)
        fit_head(model, sides["train"], settings=settings, autocast=autocast)
        state = TrainState(plan=job.plan)
    else:
        if not is_words:
            channel.progress("fitting the head", 0, None)
            fit_head(model, sides["train"], settings=settings, autocast=autocast)
        apply_strategy(model, settings, seed=job.seed)
        trainer = LabelTrainer(
            model,
            sides["train"],
            dev=sides["dev"],
            dev_cases=len(job.dev),
            score=lambda logits: _score(job, logits),
            settings=settings,
            seed=job.seed,
            base=stamp,
            folder=folder,
            dtype=dtype,
            progress=channel.progress,
        )
        state = train_labels(trainer, folder=folder, progress=channel.progress)
    seconds = max(state.seconds, time.perf_counter() - began)
    return _Trained(
        model, sides, state, dtype, cutter.max_tokens, items["train"][1], seconds
    )


def _is_words(job: LabelJob) -> bool:
    return job.task == "ner"


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name.lstrip('.')}.checkpoint")


def _autocast(model: LabelModel, dtype: Any) -> Any:  # noqa: ANN401 (torch loads late)
    import torch

    is_half = dtype == torch.bfloat16
    return torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=is_half)


def _items(
    cases: Sequence[Case], labels: Sequence[str], cutter: TextCutter
) -> tuple[list[Item], int]:
    """The cases as tokens, and how many texts were cut."""
    if not cases:
        return [], 0
    place = {label: number for number, label in enumerate(labels)}
    words: list[Sequence[str]] = []
    tags: list[list[int]] = []
    texts: list[str] = []
    gold: list[int] = []
    for case in cases:
        if isinstance(case, EntityCase):
            words.append(case.tokens)
            tags.append([place.get(tag, UNKNOWN_LABEL) for tag in case.tags])
        else:
            texts.append(case.text)
            gold.append(place.get(case.label, UNKNOWN_LABEL))
    if words:
        return word_items(words, tags, cutter=cutter), 0
    return text_items(texts, gold, cutter=cutter)


def _named(logits_W_L: Floats, labels: Sequence[str]) -> list[str]:
    return [labels[int(best)] for best in logits_W_L.argmax(axis=1)]


def _score(job: LabelJob, logits: Sequence[Floats]) -> float:
    """The task's primary measure on dev cases."""
    gold = [gold_labels(case) for case in job.dev]
    predicted = [_named(rows_W_L, job.labels) for rows_W_L in logits]
    if not _is_words(job):
        return accuracy([one[0] for one in gold], [one[0] for one in predicted])
    right = found = wanted = 0
    for gold_tags, tags in zip(gold, predicted, strict=True):
        ours, theirs = set(spans(tags)), set(spans(gold_tags))
        right += len(ours & theirs)
        found += len(ours)
        wanted += len(theirs)
    return 2 * right / (found + wanted) if found + wanted else 1.0


def _temperature(job: LabelJob, logits: Sequence[Floats]) -> float:
    """What dev cases ask logits to be divided by; 1 where there are none."""
    if not logits:
        return 1.0
    place = {label: number for number, label in enumerate(job.labels)}
    gold_S = np.array(
        [
            place.get(label, UNKNOWN_LABEL)
            for case in job.dev
            for label in gold_labels(case)
        ]
    )
    logits_S_L = np.concatenate(logits)
    known_S = gold_S != UNKNOWN_LABEL
    return fit_temperature(logits_S_L[known_S], gold_S[known_S])


def _row(case: Case, logits_W_L: Floats, labels: Sequence[str]) -> str:
    import json

    row = {
        "id": case.id,
        "gold": gold_labels(case),
        "predicted": _named(logits_W_L, labels),
        "logits": np.round(logits_W_L.astype(np.float64), 5).tolist(),
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
