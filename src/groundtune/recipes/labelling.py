"""Training of a label model in a process of its own, and its word on held-out cases.

How it is trained is in `labels.training`; here the model becomes a folder.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.core.values import EntityCase
from groundtune.recipes.labels.training import (
    LabelJob,
    Trained,
    gold_labels,
    named,
    side_logits,
    temperature_of,
    train_once,
)
from groundtune.recipes.tracking import emitted
from groundtune.store.files import read_json, read_json_lines
from groundtune.store.models import MANIFEST, open_model
from groundtune.store.tuned import checkpoint_folder, finished
from groundtune.tune.distributed import team
from groundtune.tune.encoder.export import write_label_model
from groundtune.tune.pretrained import require_tune_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from groundtune.core.values import LabelCase
    from groundtune.recipes.child import Channel

    Case = LabelCase | EntityCase
    Floats = npt.NDArray[np.float32]

EVALUATION = "evaluation"
"""Folder beside the weights: what the model said of each dev and test case."""


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
    not done again. Where the job is tracked, what was measured is emitted.

    Raises:
        ConfigError: The budget is too small, or settings do not fit the base.
        MissingExtraError: The extra `tune` is not installed.
        ModelLoadError: The base cannot take a head for labels.
        StoreError: The model cannot be written.
    """
    require_tune_extra()
    out = Path(job.out)
    base = open_model(job.base, kind="embedder", offline=True)
    plan = f"{job.plan}-{base.weights_sha256[:8]}"
    if (written := finished(out, plan=plan)) is not None:
        return written
    channel.progress("preparing", 0, None)
    folder = checkpoint_folder(out)
    trained = train_once(
        job,
        base,
        folder=folder,
        progress=channel.progress,
        observe=emitted(channel) if job.is_tracked else None,
    )
    if not team().is_main:
        return {}
    items = trained.items
    logits = {
        side: side_logits(job, trained, side) for side in ("dev", "test") if items[side]
    }
    temperature = job.temperature or temperature_of(
        job.dev, logits.get("dev", []), labels=job.labels
    )
    channel.progress("writing", 0, None)
    files = {
        f"{EVALUATION}/{side}.jsonl": "".join(
            json_line(judged_row(case, rows_W_L / temperature, job.labels))
            for case, rows_W_L in zip(getattr(job, side), logits[side], strict=True)
        )
        for side in logits
    }
    write_label_model(
        trained.model,
        base,
        out,
        compared=items["dev"] or items["test"] or items["train"],
        temperature=temperature,
        record={
            "task": job.task,
            "plan": plan,
            "template": {
                "input": "tokens" if job.is_words else "text",
                "max_tokens": trained.max_tokens,
            },
            "training": _told(job, trained),
            **job.record,
        },
        files={**job.files, **files},
    )
    shutil.rmtree(folder, ignore_errors=True)
    return read_json(out / MANIFEST)


def _told(job: LabelJob, trained: Trained) -> dict[str, Any]:
    """What the manifest says of the training."""
    state = trained.state
    return {
        "settings": asdict(trained.settings),
        "why": job.why,
        "seed": job.seed,
        "dtype": str(trained.dtype).removeprefix("torch."),
        "device": trained.model.device.type,
        "cases": {side: len(getattr(job, side)) for side in ("train", "dev", "test")},
        "texts_cut": trained.texts_cut,
        "steps": state.step,
        "best_step": state.best_step,
        "tokens": state.tokens,
        "seconds": round(trained.seconds, 2),
        "dev_losses": [[at, round(loss, 5)] for at, loss in state.dev_losses],
        "train_losses": [round(loss, 4) for loss in state.train_losses],
        "budget": asdict(trained.budget) if trained.budget else None,
    }


def read_judged(out: Path, side: str, cases: Sequence[Case]) -> list[Judged]:
    """What the model said of the cases of a side, in their order."""
    return judged_of(read_json_lines(out / EVALUATION / f"{side}.jsonl"), cases)


def judged_of(rows: Iterable[Mapping[str, Any]], cases: Sequence[Case]) -> list[Judged]:
    """What rows say of cases, in the order of the cases."""
    found = {row["id"]: row for row in rows}
    return [
        Judged(
            case.id,
            gold_labels(case),
            list(found[case.id]["predicted"]),
            np.array(found[case.id]["logits"], np.float32),
        )
        for case in cases
    ]


def judged_row(case: Case, logits_W_L: Floats, labels: Sequence[str]) -> dict[str, Any]:
    """What is said of a case, as it is written; `Judged` is what is read of it."""
    is_words = isinstance(case, EntityCase)
    return {
        "id": case.id,
        **({"tokens": list(case.tokens)} if is_words else {"text": case.text}),
        "gold": gold_labels(case),
        "predicted": named(logits_W_L, labels),
        "logits": np.round(logits_W_L.astype(np.float64), 5).tolist(),
    }


def json_line(row: Mapping[str, Any]) -> str:
    """A row as a line of a file."""
    return json.dumps(row, ensure_ascii=False) + "\n"
