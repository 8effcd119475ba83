"""The model card: `README.md` of a model folder, in the form that model hubs read.

Written from plain values after the one look at the test cases. It says what the model
is for, what it was made from, how it did beside what needs no training, and where not
to trust it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundtune.recipes.tuning_page.tuned import measure_name
from groundtune.store.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from groundtune.measure.rows import Figure
    from groundtune.recipes.tuning_page.tuned import TunedModel

FILE = "README.md"

_PIPELINES = {
    "sentiment": "text-classification",
    "classification": "text-classification",
    "ner": "token-classification",
    "translation": "translation",
    "support": "text-generation",
    "summarization": "summarization",
}
"""Task to the name that model hubs sort by."""

_SHOWN_LABELS = 100
_WEAK = 0.5
"""F1 below which a label is named among the limits."""


def write_model_card(
    folder: Path,
    model: TunedModel,
    *,
    base: str,
    method: str,
    licence: str = "",
    limits: Sequence[str] = (),
) -> Path:
    """Write `README.md` into a model folder and return its path.

    Args:
        folder: The model's own.
        model: What the page of the model is made from as well.
        base: The pre-trained model, by catalogue name or hub id.
        method: How it was tuned, such as `full` or `LoRA, rank 16`.
        licence: Of the weights, as its short name; empty where the person must say.
        limits: What else to warn of, a sentence each.

    Raises:
        StoreError: It could not be written.
    """
    path = folder / FILE
    write_atomic(
        path,
        model_card(model, base=base, method=method, licence=licence, limits=limits),
    )
    return path


def model_card(
    model: TunedModel,
    *,
    base: str,
    method: str,
    licence: str = "",
    limits: Sequence[str] = (),
) -> str:
    """The card as Markdown; see `write_model_card`."""
    parts = [
        _front_matter(model, base=base, licence=licence),
        f"# {_plain(model.name)}",
        f"{_plain(base)} tuned for {model.task} ({_plain(method)}) with groundtune.",
        _plain(model.told),
        "## How to use it",
        "```\ngroundtune predict FOLDER --in cases.jsonl --out predictions.jsonl\n```",
        f"FOLDER is the one that holds this file. {_asked(model.task)}",
        *_scores(model),
        *_labels(model),
        *_data(model),
        "## Method",
        _table(
            ("what", "value"),
            _facts({"base model": base, "method": method, **model.settings}),
        ),
        "## Limits",
        "\n".join(f"- {_plain(text)}" for text in (*_limits(model), *limits)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(model: TunedModel, *, base: str, licence: str) -> str:
    import yaml

    about: dict[str, Any] = {
        "base_model": base,
        "pipeline_tag": _PIPELINES.get(model.task, model.task),
        "tags": ["groundtune", model.task],
        "metrics": [model.measure],
    }
    if licence:
        about = {"license": licence, **about}
    return f"---\n{yaml.safe_dump(about, sort_keys=False, allow_unicode=True)}---"


def _asked(task: str) -> str:
    """What a line of the file holds."""
    asked = {
        "ner": '`{"tokens": ["Ada", "Lovelace", "was", "here"]}`',
        "translation": '`{"source": "A dog runs."}`',
        "support": '`{"messages": [{"role": "user", "content": "Where is it?"}]}`',
        "summarization": '`{"document": "A text that is long."}`',
    }
    line = asked.get(task, '`{"text": "Where is my parcel?"}`')
    return f"A line of the file is a case such as {line}."


def _scores(model: TunedModel) -> list[str]:
    """The model's figures, and those of the baselines beside the first of them."""
    measure, counted = measure_name(model.measure), f"{model.basis} cases"
    unseen = " that the model never saw" if model.basis == "test" else ""
    if model.basis == "cross-validated":
        unseen = ", each judged by a model trained on the other folds"
    rows = [(f"**{measure}**", *_cells(model, model.score))]
    rows += [
        (measure_name(name), *_cells(model, figure))
        for name, figure in model.measures.items()
    ]
    found = [
        "## Scores",
        f"On {model.basis} cases{unseen}; brackets are 95 % intervals.",
        _table(("measure", "value", "interval", counted), rows),
        model.folds_told,
    ]
    if model.baselines:
        rows = [("**tuned**", *_cells(model, model.score))]
        rows += [
            (name, *_cells(model, figure)) for name, figure in model.baselines.items()
        ]
        found += [
            f"Beside what needs no training, in {measure}:",
            _table(("system", "value", "interval", counted), rows),
        ]
    if model.calibration:
        its = model.calibration
        found.append(
            f"Calibration error over {its.unit}: {its.before.error:.3f} as trained, "
            f"{its.after.error:.3f} with logits divided by the temperature "
            f"{its.temperature:.3f}, which was fitted on {its.fitted_on}."
        )
    return found


def _cells(model: TunedModel, figure: Figure) -> tuple[str, str, str]:
    low, high = model.shown(figure.low), model.shown(figure.high)
    return model.shown(figure.value), f"[{low}, {high}]", f"{figure.n:,}"


def _labels(model: TunedModel) -> list[str]:
    if not model.per_label:
        return []
    names = list(model.per_label)
    rows = [
        (
            name,
            *(f"{each.value:.2f}" for each in (its.precision, its.recall, its.f1)),
            f"[{its.f1.low:.2f}, {its.f1.high:.2f}]",
            f"{its.support:,}",
        )
        for name, its in list(model.per_label.items())[:_SHOWN_LABELS]
    ]
    what = "type" if model.entities else "label"
    counted = "entities" if model.entities else f"{model.basis} cases"
    found = [
        f"## {what.capitalize()}s",
        _table((what, "precision", "recall", "F1", "interval", counted), rows),
    ]
    if len(names) > _SHOWN_LABELS:
        found.append(f"And {len(names) - _SHOWN_LABELS} more.")
    return found


def _limits(model: TunedModel) -> list[str]:
    found = [
        "It was measured on cases like those it learnt from. On texts of another "
        "kind, time or language expect less, and measure before you rely on it.",
        *model.warnings,
    ]
    weak = [
        f"{name} ({its.f1.value:.2f})"
        for name, its in model.per_label.items()
        if its.support and its.f1.value < _WEAK
    ]
    if weak:
        found.append(f"Weak, by F1: {', '.join(weak)}.")
    if model.gain is not None and model.gain.low <= 0:
        found.append(
            f"It is not shown to be better than {model.best_baseline}, which needs no "
            "training."
        )
    if model.labels is not None and model.entities is None:
        found.append(
            "It always gives one of its labels, also to a text that fits none of them."
        )
    return found


def _data(model: TunedModel) -> list[str]:
    if not model.data:
        return []
    return ["## Data", _table(("what", "value"), _facts(model.data))]


def _facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            name.replace("_", " "),
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, default=str),
        )
        for name, value in facts.items()
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    if len(lines) == 2:
        return ""
    return "\n".join(
        f"| {' | '.join(_cell(each) for each in line)} |" for line in lines
    )


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text on one line, in which nothing is read as a tag."""
    return " ".join(text.split()).replace("<", "&lt;")
