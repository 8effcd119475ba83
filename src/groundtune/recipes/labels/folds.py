"""Cross-validation: every training case is judged by a model that never saw it.

The cases are cut into folds; a model is trained on all of them but one and judges that
one, in turn. Settings that are searched for are searched for within each fold's own
training cases. All trainings run in one process; what a finished fold said stands in a
file and is not made again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import NOTE
from groundtune.core.values import EntityCase
from groundtune.data.stratify import folds as cut_folds
from groundtune.measure.entities import spans
from groundtune.recipes.labels.search import (
    SearchJob,
    Tried,
    best_of,
    search_folder,
    search_folds,
    search_labels,
)
from groundtune.recipes.labels.training import score, side_logits, train_once
from groundtune.store.files import read_json, write_atomic
from groundtune.store.folders import remove_folder
from groundtune.store.models import open_model
from groundtune.store.tuned import checkpoint_folder
from groundtune.tune.pretrained import require_tune_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from groundtune.core.values import LabelCase
    from groundtune.recipes.child import Channel
    from groundtune.recipes.labels.space import Space
    from groundtune.recipes.labels.training import LabelJob
    from groundtune.store.models import ModelFolder

    Case = LabelCase | EntityCase

FEWEST, MOST = 2, 20
LONE_LABELS = "lone_labels"
"""A label whose cases all stand in one fold."""


class Part(NamedTuple):
    """One training of a cross-validation."""

    draw: int
    """From 1: the folds are cut anew in each."""
    fold: int
    """From 1."""
    train: tuple[Case, ...]
    held: tuple[Case, ...]

    @property
    def name(self) -> str:
        """Its own among the parts."""
        return f"{self.draw}-{self.fold}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldsJob:
    """What to cross-validate. Crosses to another process."""

    job: LabelJob
    """The training on all cases as it is before any search, without test cases."""
    folds: int
    repeats: int
    """How often the folds are cut, each time with the next seed."""
    space: Space | None
    """Where each part searches settings; None where they stand."""
    trials: int

    def parts(self) -> list[Part]:
        """The trainings, in order.

        Raises:
            DataError: There are fewer texts or groups than folds.
        """
        return [
            Part(draw + 1, number, tuple(fold.train), tuple(fold.test))
            for draw in range(self.repeats)
            for number, fold in enumerate(
                cut_folds(self.job.train, count=self.folds, seed=self.job.seed + draw),
                start=1,
            )
        ]

    def name(self, base: ModelFolder) -> str:
        """Fingerprint of all that decides what the parts say."""
        said = {
            "job": self.job.plan,
            "folds": self.folds,
            "repeats": self.repeats,
            "space": asdict(self.space) if self.space else None,
            "trials": self.trials if self.space else 0,
        }
        return f"{fingerprint(said)}-{base.weights_sha256[:8]}"


def folds_folder(out: Path) -> Path:
    """Where the cross-validation of a model keeps finished folds: beside the model."""
    return out.with_name(f".{out.name.lstrip('.')}.folds")


def check_counts(folds: int, repeats: int) -> None:
    """Refuse numbers that mean nothing, before a file is read.

    Raises:
        ConfigError: They are out of range, or the folds are repeated without any.
    """
    if folds and not FEWEST <= folds <= MOST:
        raise ConfigError(
            f"{folds} folds",
            fix=f"use {FEWEST} to {MOST}, or none",
            where="--folds",
        )
    if repeats < 1:
        raise ConfigError(f"{repeats} repeats", fix="use 1 or more", where="--repeats")
    if repeats > 1 and not folds:
        raise ConfigError(
            "folds are repeated, and there are none",
            fix="give --folds as well",
            where="--repeats",
        )


def check_folds(
    asked: FoldsJob,
    *,
    where: Path,
    accepted: Collection[str],
    tell: Callable[[str], None],
) -> None:
    """Look whether the cases can be cut so, before time is spent.

    Args:
        asked: What is to be cross-validated.
        where: The file of the cases.
        accepted: Kinds of errors that a person knows of and means.
        tell: Told of what is accepted.

    Raises:
        DataError: There are fewer texts or groups than folds, or all cases of a label
            stand in one fold, so that no model could both learn and be asked it.
    """
    try:
        parts = asked.parts()
    except DataError as error:
        raise DataError(
            f"{error.problem.removesuffix(' sides')} folds",
            fix="use fewer folds, or add cases",
            where=str(where),
        ) from error
    lone: dict[str, int] = {}
    for part in parts:
        known = {label for case in part.train for label in _labels(case)}
        for case in part.held:
            for label in _labels(case) - known:
                lone[label] = lone.get(label, 0) + (part.draw == 1)
    if lone:
        shown = ", ".join(map(repr, sorted(lone)[:5]))
        more = f" and {len(lone) - 5} more" if len(lone) > 5 else ""
        message = (
            f"all cases of {shown}{more} fall into one fold: a model that is asked "
            "them has learnt from none"
        )
        if LONE_LABELS not in accepted:
            raise DataError(
                message,
                fix="add other texts (or groups) of each such label, join it to "
                f"another, or count them as mistakes: --accept {LONE_LABELS}",
                where=str(where),
            )
        tell(f"warning: {message}; they count as mistakes  [{LONE_LABELS}]")


def cross_validate(asked: FoldsJob, channel: Channel) -> list[dict[str, Any]]:
    """Train and judge each part; give what is said of each, with its logits as trained.

    Interrupted and called again, it goes on where it was and ends alike.

    Returns:
        For each part its `draw`, `fold`, `value` (the primary measure), `seconds`,
        what was chosen if it searched, and `logits` by the case's id.

    Raises:
        ConfigError: The budget is too small, or settings do not fit the base.
        DataError: Memory does not do for a single text.
        MissingExtraError: The extra `tune` is not installed.
        StoreError: A checkpoint or a finished fold could not be written.
    """
    require_tune_extra()
    base = open_model(asked.job.base, kind="embedder", offline=True)
    name = asked.name(base)
    folder = folds_folder(Path(asked.job.out))
    parts = asked.parts()
    found: list[dict[str, Any]] = []
    for done, part in enumerate(parts):
        path = folder / f"{part.name}.json"
        written = read_json(path) if path.exists() else {}
        if written.get("name") != name:
            within = _Within(channel, parts, done)
            made = _judge_part(asked, part, base, folder=folder, channel=within)
            written = {"name": name, **made}
            write_atomic(path, json.dumps(written))
        found.append(written)
    channel.progress("folds", len(parts), len(parts))
    return found


def _judge_part(
    asked: FoldsJob, part: Part, base: ModelFolder, *, folder: Path, channel: Channel
) -> dict[str, Any]:
    out = folder / part.name
    job = replace(
        asked.job,
        train=part.train,
        out=str(out),
        seed=asked.job.seed + part.draw - 1,
        is_tracked=False,
        record={},
    )
    chosen: dict[str, Any] = {}
    seconds = 0.0
    if asked.space is not None:
        search = SearchJob(
            job=job, space=asked.space, trials=asked.trials, folds=search_folds(job)
        )
        tried = [Tried.read(one) for one in search_labels(search, channel)]
        job = replace(job, settings=best_of(tried).settings)
        chosen = {
            "strategy": job.settings.strategy,
            "settings": asked.space.varied(job.settings),
        }
        seconds = sum(one.seconds for one in tried)
    job = replace(job, test=part.held)
    checkpoint = checkpoint_folder(out)
    trained = train_once(job, base, folder=checkpoint, progress=channel.progress)
    logits = side_logits(job, trained, "test")
    remove_folder(checkpoint)
    remove_folder(search_folder(out))
    return {
        "draw": part.draw,
        "fold": part.fold,
        "value": score(part.held, logits, labels=job.labels, is_words=job.is_words),
        "seconds": round(seconds + trained.seconds, 2),
        **chosen,
        "logits": {
            case.id: rows_W_L.astype(float).tolist()
            for case, rows_W_L in zip(part.held, logits, strict=True)
        },
    }


class _Within:
    """The channel of a part, whose progress is a part of that of all folds."""

    def __init__(self, channel: Channel, parts: list[Part], done: int) -> None:
        self._channel, self._done, self._total = channel, done, len(parts)

    def emit(self, item: object) -> None:
        """See `Channel.emit`."""
        self._channel.emit(item)

    def progress(self, label: str, done: int, total: int | None) -> None:
        """See `Channel.progress`."""
        told = label.replace(NOTE, ": ")
        place = f" {done}/{total}" if total else ""
        self._channel.progress(
            f"folds{NOTE}{self._done + 1} of {self._total}, {told}{place}",
            self._done,
            self._total,
        )


def _labels(case: Case) -> set[str]:
    """The label of a text, or the types of a sentence's entities."""
    if isinstance(case, EntityCase):
        return {span.type for span in spans(case.tags)}
    return {case.label}
