"""Trying settings of a label model on cases held out of the training cases.

The test cases are not here: what chooses are dev cases, or where there are few, each
case in turn by cross-validation. A trial that does worse than the median at the same
place is given up. All trials run in one process, and each is resumable as a training
is; what is finished stands in the study's journal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.config.encoder import EncoderSettings
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import NOTE
from groundtune.data.stratify import folds as cut_folds
from groundtune.recipes.labels.space import name_of
from groundtune.recipes.labels.training import score, side_logits, train_once
from groundtune.recipes.optimization.journal import (
    is_exhausted,
    next_trial,
    open_study,
)
from groundtune.store.files import read_json, write_json
from groundtune.store.folders import remove_folder
from groundtune.store.models import open_model
from groundtune.tune.encoder.evaluate import mean_loss
from groundtune.tune.pretrained import require_tune_extra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study, Trial

    from groundtune.core.protocols import Progress
    from groundtune.recipes.child import Channel
    from groundtune.recipes.labels.space import Space
    from groundtune.recipes.labels.training import LabelJob
    from groundtune.store.models import ModelFolder
    from groundtune.tune.checkpoint import TrainState
    from groundtune.tune.loop import Observe

_LEAST_CASES_TO_CHOOSE = 100
"""With fewer dev cases, settings are chosen by cross-validation instead."""
_FOLDS = 5
_STARTUP = 6
"""Trials before the sampler follows what it has seen."""
_FEWEST_COMPARED = 3
"""Trials with which another one is compared before it may be given up."""
_GRACE = {"dev": 2, "folds": 1}
"""Evaluations, or folds, before which no trial is given up."""
_PARTS = "parts.json"
"""Folds of the trial that is being made."""
_LOSS_SHARE = 0.05
"""What a nat of loss weighs against the whole of the score, to settle ties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchJob:
    """What to search in. Crosses to another process."""

    job: LabelJob
    """As it would be trained without a search, without its test cases."""
    space: Space
    trials: int
    folds: int
    """Parts that are held out in turn; 0 where the job's dev cases choose."""

    @property
    def name(self) -> str:
        """Fingerprint of what decides the trials, but not of how many there are."""
        return fingerprint(
            {"job": self.job.plan, "space": asdict(self.space), "folds": self.folds}
        )


class Tried(NamedTuple):
    """What came of one setting."""

    number: int
    """From 1, in the order tried."""
    settings: EncoderSettings
    score: float
    """The primary measure on held-out cases; of a trial given up, as far as it came."""
    loss: float
    """1 minus the score, and a little for doubt: what is made small."""
    parts: list[float]
    """The score of each fold."""
    is_whole: bool
    """Whether it was trained to its end, rather than given up."""
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; `read` is the way back."""
        return {**self._asdict(), "settings": asdict(self.settings)}

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Tried:
        """See `to_json`."""
        plain: dict[str, Any] = {
            **raw,
            "settings": EncoderSettings(**raw["settings"]),
        }
        return cls(**plain)


class _Part(NamedTuple):
    """One training of a trial."""

    score: float
    loss: float
    seconds: float
    is_whole: bool


class GivenUpError(Exception):
    """A trial does worse than others did at the same place."""

    def __init__(self, state: TrainState) -> None:
        super().__init__(state.step)
        self.state = state


def search_folds(job: LabelJob) -> int:
    """Folds in which settings are chosen; 0 where there are dev cases enough."""
    return 0 if len(job.dev) >= _LEAST_CASES_TO_CHOOSE else _FOLDS


def search_folder(out: Path) -> Path:
    """Where the journal of a model's search stands: beside the model."""
    return out.with_name(f".{out.name.lstrip('.')}.search")


def search_labels(search: SearchJob, channel: Channel) -> list[dict[str, Any]]:
    """Try settings until so many are tried; give each as `Tried.to_json`.

    Interrupted and called again, it goes on where it was and ends alike.

    Raises:
        ConfigError: The budget is too small, or settings do not fit the base.
        DataError: The cases cannot be divided.
        MissingExtraError: The extra `tune` is not installed.
        StoreError: The journal or a checkpoint could not be written.
    """
    import optuna

    require_tune_extra()
    base = open_model(search.job.base, kind="embedder", offline=True)
    folder = search_folder(Path(search.job.out))
    study = open_study(
        folder / "journal.log",
        name=f"{search.name}-{base.weights_sha256[:8]}",
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=_FEWEST_COMPARED,
            n_warmup_steps=_GRACE["folds" if search.folds else "dev"],
        ),
    )
    done = _finished(study)
    total = int(min(search.trials, search.space.points()))
    planned = {
        name_of(start): point
        for start, point in zip(
            search.space.starts, search.space.planned(), strict=True
        )
    }
    while len(done) < total:
        missing = [point for name, point in planned.items() if name not in done]
        trial = next_trial(
            study,
            seed=search.job.seed,
            startup=_STARTUP,
            point=missing[0] if missing else None,
        )
        settings = search.space.suggest(trial)
        found = done.get(name_of(settings))
        if found is None:
            told = f"{len(done) + 1} of {total}, {_best_told(done)}"
            found = _try(
                search,
                settings,
                base,
                trial,
                number=len(done) + 1,
                progress=_within(channel, told, done=len(done), total=total),
            )
            done[name_of(settings)] = found
        elif is_exhausted(study, different=len(done), startup=_STARTUP):
            break
        trial.set_user_attr("found", found.to_json())
        if found.is_whole:
            study.tell(trial, found.loss)
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    channel.progress(f"trials{NOTE}{_best_told(done)}", total, total)
    return [found.to_json() for found in done.values()][: search.trials]


def best_of(tried: list[Tried]) -> Tried:
    """The best of those trained to their end; ties go to the first."""
    return min((one for one in tried if one.is_whole), key=lambda one: one.loss)


def _try(
    search: SearchJob,
    settings: EncoderSettings,
    base: ModelFolder,
    trial: Trial,
    *,
    number: int,
    progress: Progress,
) -> Tried:
    """Train with some settings, once or once a fold, and see how good they are."""
    folder = search_folder(Path(search.job.out))
    name = name_of(settings)
    parts = _read_parts(folder / _PARTS, name=name)
    for place, job in enumerate(_parts(search, settings)):
        if place < len(parts):
            part = parts[place]
        else:
            part = _train_part(
                job,
                base,
                folder=folder / "trial",
                progress=progress,
                observe=None if search.folds else judge(trial),
            )
            parts.append(part)
            written = [one._asdict() for one in parts]
            write_json(folder / _PARTS, {"name": name, "parts": written})
        if search.folds:
            trial.report(fmean(one.loss for one in parts), place)
            if place + 1 < search.folds and trial.should_prune():
                parts[-1] = part._replace(is_whole=False)
                break
    return Tried(
        number,
        settings,
        score=fmean(part.score for part in parts),
        loss=fmean(part.loss for part in parts),
        parts=[part.score for part in parts] if search.folds else [],
        is_whole=all(part.is_whole for part in parts),
        seconds=round(sum(part.seconds for part in parts), 2),
    )


def _train_part(
    job: LabelJob,
    base: ModelFolder,
    *,
    folder: Path,
    progress: Progress,
    observe: Observe | None,
) -> _Part:
    """One training, and what it says of the cases held out from it."""
    side = "test" if job.test else "dev"
    held = job.test or job.dev
    try:
        trained = train_once(
            job, base, folder=folder, progress=progress, observe=observe
        )
    except GivenUpError as error:
        loss = float(error.state.best_loss or 0.0)
        part = _Part(max(0.0, 1.0 - loss), loss, error.state.seconds, is_whole=False)
    else:
        logits = side_logits(job, trained, side)
        share = score(held, logits, labels=job.labels, is_words=job.is_words)
        loss = 1.0 - share + _LOSS_SHARE * mean_loss(trained.items[side], logits)
        part = _Part(share, loss, trained.seconds, is_whole=True)
    # What the next training would not take up anyway.
    remove_folder(folder)
    return part


def judge(trial: Trial) -> Observe:
    """An observer that gives a training up where others were better by then."""
    told = 0

    def observe(state: TrainState) -> None:
        nonlocal told
        if len(state.dev_losses) == told:
            return
        losses = [loss for _, loss in state.dev_losses]
        for place in range(told, len(losses)):
            trial.report(min(losses[: place + 1]), place)
        told = len(losses)
        if not state.done and trial.should_prune():
            raise GivenUpError(state)

    return observe


def _parts(search: SearchJob, settings: EncoderSettings) -> list[LabelJob]:
    """What is trained for one trial: as it is, or once a fold without dev cases."""
    job = replace(search.job, settings=settings)
    if not search.folds:
        return [job]
    return [
        replace(job, train=tuple(fold.train), dev=(), test=tuple(fold.test))
        for fold in cut_folds(job.train, count=search.folds, seed=job.seed)
    ]


def _read_parts(path: Path, *, name: str) -> list[_Part]:
    """The folds of an interrupted trial that are done."""
    if not path.exists() or (written := read_json(path))["name"] != name:
        return []
    return [_Part(**one) for one in written["parts"]]


def _finished(study: Study) -> dict[str, Tried]:
    found: dict[str, Tried] = {}
    for trial in study.trials:
        if trial.state.is_finished() and (raw := trial.user_attrs.get("found")):
            one = Tried.read(raw)
            found.setdefault(name_of(one.settings), one)
    return found


def _best_told(done: Mapping[str, Tried]) -> str:
    if not done:
        return "none done yet"
    best = best_of(list(done.values()))
    return f"best {best.score:.3f} ({best.settings.strategy}, trial {best.number})"


def _within(channel: Channel, told: str, *, done: int, total: int) -> Progress:
    """Progress of a trial as a part of that of the search."""

    def progress(label: str, part: int, parts: int | None) -> None:
        place = f" {part}/{parts}" if parts else ""
        channel.progress(f"trials{NOTE}{told}, {label}{place}", done, total)

    return progress
