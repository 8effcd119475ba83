"""What a cross-validation found: rows, figures and baselines of the same folds.

Made once from what the folds said, then read from the model's folder: the manifest
holds the figures, a file beside the weights a row for each case and draw.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from groundtune.core.values import EntityCase
from groundtune.measure.entities import entity_report
from groundtune.measure.folds import widened
from groundtune.measure.labels import label_report
from groundtune.measure.rows import Figure
from groundtune.recipes.labelling import EVALUATION, json_line, judged_of, judged_row
from groundtune.recipes.labels.telling import side_measures
from groundtune.recipes.labels.training import gold_labels, temperature_of
from groundtune.recipes.present import entity_baselines, label_baselines
from groundtune.store.files import read_json, read_json_lines
from groundtune.store.models import MANIFEST
from groundtune.tasks import ner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.core.protocols import Embedder, Progress, Tokenizer
    from groundtune.core.values import LabelCase
    from groundtune.recipes.labelling import Judged
    from groundtune.recipes.labels.folds import FoldsJob, Part
    from groundtune.recipes.labels.training import LabelJob

    Case = LabelCase | EntityCase

SIDE = "cross-validated"
FILE = f"{EVALUATION}/{SIDE}.jsonl"
_DRAWN_FOR_SHARES = 2
"""A share has its interval without draws; those for F1 are not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """A cross-validation that is done."""

    record: Mapping[str, Any]
    """What the manifest says of it."""
    rows: Sequence[Mapping[str, Any]]
    """A row for each case and draw, with calibrated logits."""

    @property
    def name(self) -> str:
        """See `FoldsJob.name`."""
        return str(self.record["name"])

    @property
    def files(self) -> dict[str, str]:
        """What stands beside the weights."""
        return {FILE: "".join(json_line(row) for row in self.rows)}

    @property
    def figure(self) -> Figure:
        """The primary measure over all cases."""
        return Figure(**self.record["figure"])

    @property
    def told(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {key: each for key, each in self.record.items() if key != "name"}

    def judged(self, cases: Sequence[Case]) -> list[Judged]:
        """What was said of the training cases in the first draw, in their order."""
        return judged_of(self._first, cases)

    def baselines(self, cases: Sequence[Case]) -> dict[str, list[Any]]:
        """What each baseline said of them, on the same folds."""
        rows = {row["id"]: row["baselines"] for row in self._first}
        return {
            name: [rows[case.id][name] for case in cases]
            for name in self.record["baselines"]
        }

    @property
    def _first(self) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["draw"] == 1]


def read_crossed(out: Path, name: str) -> Crossed | None:
    """The cross-validation that the model in `out` was written with, if it is this."""
    if not (out / MANIFEST).exists():
        return None
    record = read_json(out / MANIFEST).get("cross_validation")
    if record is None or record["name"] != name:
        return None
    return Crossed(record=record, rows=read_json_lines(out / FILE))


def made_crossed(
    asked: FoldsJob,
    found: Sequence[Mapping[str, Any]],
    *,
    name: str,
    embedder: Embedder | None,
    progress: Progress,
) -> Crossed:
    """The rows and figures of what the folds said.

    Args:
        asked: What was cross-validated.
        found: What `cross_validate` gave.
        name: Of this cross-validation.
        embedder: For baselines of texts.
        progress: Told of the work on baselines.
    """
    job, parts = asked.job, asked.parts()
    held = [case for part in parts for case in part.held]
    logits = [
        np.array(raw["logits"][case.id], np.float32)
        for part, raw in zip(parts, found, strict=True)
        for case in part.held
    ]
    temperature = temperature_of(held, logits, labels=job.labels)
    heard = _Remembering(embedder) if embedder else None
    spoken = [_baselines(job, part, heard, progress) for part in parts]
    said = iter(logits)
    rows = [
        {
            **judged_row(case, next(said) / temperature, job.labels),
            "draw": part.draw,
            "fold": part.fold,
            "baselines": {other: each[place] for other, each in baselines.items()},
        }
        for part, baselines in zip(parts, spoken, strict=True)
        for place, case in enumerate(part.held)
    ]
    draws = [
        [row for row in rows if row["draw"] == draw + 1]
        for draw in range(asked.repeats)
    ]
    # Of what is written, digits and all: read again, it gives the same figures.
    measures = [side_measures(job, judged_of(d, job.train), job.train) for d in draws]
    primary = ner.PRIMARY_MEASURE if job.is_words else "accuracy"
    mean = _widened(mean_of(measures), folds=asked.folds)
    others = mean_of([_baseline_figures(job, rows) for rows in draws])
    record: dict[str, Any] = {
        "name": name,
        "folds": asked.folds,
        "repeats": asked.repeats,
        "cases": len(job.train),
        "measure": primary,
        "figure": mean[primary],
        "measures": mean,
        "draws": [each[primary]["value"] for each in measures],
        "parts": [
            {
                **{key: raw[key] for key in ("draw", "fold", "value")},
                "cases": len(part.held),
                **{k: raw[k] for k in ("strategy", "settings") if k in raw},
            }
            for part, raw in zip(parts, found, strict=True)
        ],
        "baselines": _widened(others, folds=asked.folds),
        "temperature": temperature,
        "seconds": round(sum(raw["seconds"] for raw in found), 2),
    }
    return Crossed(record=record, rows=rows)


def mean_of(draws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Each number as its mean over draws, the ends of intervals too; counts are whole.

    What some draws do not have, such as a type that is never predicted, is the mean of
    those that have it.

    Examples:
        >>> mean_of([{"f1": {"value": 0.5, "n": 4}}, {"f1": {"value": 0.75, "n": 4}}])
        {'f1': {'value': 0.625, 'n': 4}}
    """
    if len(draws) == 1:
        return dict(draws[0])
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for draw in draws for name in draw):
        values = [draw[name] for draw in draws if name in draw]
        if isinstance(values[0], dict):
            found[name] = mean_of(cast("list[dict[str, Any]]", values))
        elif isinstance(values[0], int):
            found[name] = round(fmean(values))
        else:
            found[name] = fmean(values)
    return found


def _widened(measures: Mapping[str, Any], *, folds: int) -> dict[str, Any]:
    """Each figure among them with the interval that folds ask for."""
    found: dict[str, Any] = {}
    for name, value in measures.items():
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            if inner.keys() == {"value", "low", "high", "n"}:
                found[name] = widened(Figure(**inner), folds=folds).to_json()
            else:
                found[name] = _widened(inner, folds=folds)
        else:
            found[name] = value
    return found


def _baselines(
    job: LabelJob, part: Part, embedder: Embedder | None, progress: Progress
) -> Mapping[str, Sequence[Any]]:
    """What baselines with the cases of the other folds say of those of this one."""
    if job.is_words:
        train = [case for case in part.train if isinstance(case, EntityCase)]
        held = [case for case in part.held if isinstance(case, EntityCase)]
        return {
            name: [list(tags) for tags in said]
            for name, said in entity_baselines(
                train, [case.tokens for case in held]
            ).items()
        }
    train = [case for case in part.train if not isinstance(case, EntityCase)]
    texts = [case.text for case in part.held if not isinstance(case, EntityCase)]
    return label_baselines(
        train,
        texts,
        task=job.task,
        labels=job.labels,
        embedder=embedder,
        progress=progress,
    )


def _baseline_figures(
    job: LabelJob, rows: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The primary measure of each baseline in one draw."""
    of_id = {row["id"]: row["baselines"] for row in rows}
    groups = [case.group or case.id for case in job.train]
    gold = [gold_labels(case) for case in job.train]
    found: dict[str, dict[str, Any]] = {}
    for name in rows[0]["baselines"]:
        said = [of_id[case.id][name] for case in job.train]
        if job.is_words:
            figure = entity_report(gold, said, groups=groups, seed=job.seed).f1
        else:
            figure = label_report(
                [labels[0] for labels in gold],
                said,
                labels=job.labels,
                groups=groups,
                draws=_DRAWN_FOR_SHARES,
            ).accuracy
        found[name] = asdict(figure)
    return found


class _Remembering:
    """An embedder that embeds no text twice: folds share most of theirs."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, npt.NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        """See `Embedder.name`."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        return self._embedder.dim

    @property
    def tokenizer(self) -> Tokenizer:
        """See `Embedder.tokenizer`."""
        return self._embedder.tokenizer

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._embedder.max_tokens

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See `Embedder.encode`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= zip(new, self._embedder.encode(new), strict=True)
        if not texts:
            return self._embedder.encode(texts)
        return np.stack([self._known[text] for text in texts])
