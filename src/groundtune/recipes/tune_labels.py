"""The jobs `tune sentiment`, `tune classification` and `tune ner`.

Labelled cases in, a fine-tuned encoder with a head and its score out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from groundtune.config.encoder import EncoderSettings, changed, default_settings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.core.values import EntityCase, LabelCase
from groundtune.data.labelled import read_labelled
from groundtune.data.stratify import split_stratified
from groundtune.measure.calibration import calibration_figures
from groundtune.measure.entities import entity_report
from groundtune.measure.labels import label_report
from groundtune.recipes.child import run_in_child
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.labelling import LabelJob, read_judged, train_label_model
from groundtune.recipes.present import present_entities, present_labels
from groundtune.recipes.tuning_page.history import training_history
from groundtune.retrieve.embed import open_embedder
from groundtune.store.files import write_lock
from groundtune.store.models import MANIFEST, open_model
from groundtune.tasks import classification, ner, sentiment
from groundtune.tune.encoder.strategy import choose_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from groundtune.config.encoder import Strategy
    from groundtune.core.protocols import Progress
    from groundtune.measure.rows import Figure
    from groundtune.recipes.labelling import Judged
    from groundtune.store.models import ModelFolder

    Case = LabelCase | EntityCase

LABEL_TASKS = (sentiment.NAME, classification.NAME, ner.NAME)
_DEV_SHARE = 0.1
_LEAST_CASES_TO_SHARE = 50
"""With fewer, none are held out for dev: each is worth more in training."""

_OF_A_FITTED_HEAD = frozenset({"max_tokens", "class_weights", "label_smoothing"})
"""Settings that decide the head of a text model where nothing else is trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What `tune --json` prints for a label task."""

    model: str
    """Folder of the tuned model."""
    task: str
    base: str
    dev: dict[str, float | int] | None
    """Primary measure with its interval; None where nothing was held out."""
    test: dict[str, float | int] | None
    seconds: float
    """Of training alone."""
    strategy: str
    why: str
    labels: list[str]
    temperature: float
    """What logits were divided by to fit dev cases; it is part of the weights."""
    measures: dict[str, dict[str, Any]]
    """Every measure, by side."""


def tune_encoder(
    task: str,
    *,
    train: Path,
    out: Path,
    dev: Path | None = None,
    test: Path | None = None,
    base: str = DEFAULT_EMBEDDER,
    strategy: str = "auto",
    seed: int = 0,
    format: str | None = None,  # noqa: A002 (the option's name)
    settings: EncoderSettings | None = None,
    changes: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> LabelReport:
    """Fine-tune an encoder on labelled cases, and score it on cases it did not see.

    Args:
        task: One of `LABEL_TASKS`.
        train: Cases to learn from, in any format of `data.labelled`.
        out: Folder of the tuned model; interrupted training is gone on with.
        dev: Cases that choose the best weights and the temperature; a tenth of
            `train` if not given and there is enough.
        test: Cases to score on, once, if any.
        base: Encoder to start from.
        strategy: `auto`, or one of `config.encoder.STRATEGIES`.
        seed: Of every draw.
        format: Of the files; recognised by content if not given.
        settings: Of training; where given, `strategy` must be `auto` or agree.
        changes: Single settings to change, by name, as text.
        progress: Told how far each step is.

    Raises:
        ConfigError: Arguments contradict one another.
        DataError: A file cannot be used.
        MissingExtraError: The extra `tune` is not installed.
    """
    if task not in LABEL_TASKS:
        raise ConfigError(
            f"task {task!r} has no labels", fix="use one of its own", where="task"
        )
    _check_place(out)
    cases = _read(train, task=task, format=format)
    labels = _label_names(task, cases)
    if len(labels) < 2:
        raise DataError(
            f"every case is labelled {', '.join(labels)}: nothing is to be told apart",
            fix="give cases of two labels at least",
            where=str(train),
        )
    chosen, why = _choose(task, cases, strategy=strategy, settings=settings)
    chosen = _with_changes(chosen, changes or {}, is_words=task == ner.NAME)
    held = _read(dev, task=task, format=format) if dev is not None else ()
    if dev is None:
        cases, held = _share(cases, strategy=chosen.strategy, seed=seed)
    model = open_model(base, kind="embedder", progress=progress)
    job = LabelJob(
        task=task,
        base=base,
        out=str(out),
        train=cases,
        dev=held,
        test=_read(test, task=task, format=format) if test is not None else (),
        labels=labels,
        settings=chosen,
        why=why,
        seed=seed,
    )
    with write_lock(out.with_name(f".{out.name}.lock")):
        record = run_in_child(train_label_model, job, progress=progress).result
    judged = {
        side: read_judged(out, side, found)
        for side, found in (("dev", job.dev), ("test", job.test))
        if found
    }
    if judged:
        _present(job, judged, record, model=model, progress=progress)
    measures = {
        side: _measures(job, judged[side], getattr(job, side)) for side in judged
    }
    primary = ner.PRIMARY_MEASURE if task == ner.NAME else "accuracy"
    return LabelReport(
        model=str(out),
        task=task,
        base=model.name,
        dev=measures["dev"][primary] if "dev" in measures else None,
        test=measures["test"][primary] if "test" in measures else None,
        seconds=float(record["training"]["seconds"]),
        strategy=chosen.strategy,
        why=why,
        labels=list(labels),
        temperature=float(record["temperature"]),
        measures=measures,
    )


def _present(
    job: LabelJob,
    judged: Mapping[str, Sequence[Judged]],
    record: Mapping[str, Any],
    *,
    model: ModelFolder,
    progress: Progress,
) -> None:
    """Write the page and the card into the model's folder."""
    basis: Literal["test", "dev"] = "test" if "test" in judged else "dev"
    cases, found = getattr(job, basis), judged[basis]
    temperature = float(record["temperature"])
    training = record["training"]
    shared: dict[str, Any] = {
        "base": model.name,
        "method": job.settings.strategy,
        "temperature": temperature,
        "dev": job.dev if basis == "test" else (),
        "history": training_history(
            training["train_losses"],
            dev_losses=[(at, loss) for at, loss in training["dev_losses"]],
        ),
        "settings": asdict(job.settings),
        "licence": model.licence,
        "basis": basis,
        "seed": job.seed,
    }
    # What is stored is calibrated; the page shows both.
    logits = [one.logits_W_L * temperature for one in found]
    if job.task == ner.NAME:
        present_entities(
            Path(job.out),
            train=cast("Sequence[EntityCase]", job.train),
            test=cases,
            tags=job.labels,
            predicted=[one.predicted for one in found],
            logits=logits,
            **shared,
        )
        return
    present_labels(
        Path(job.out),
        task=job.task,
        train=cast("Sequence[LabelCase]", job.train),
        test=cases,
        labels=job.labels,
        predicted=[one.predicted[0] for one in found],
        logits_N_L=np.concatenate(logits),
        embedder=open_embedder(model),
        progress=progress,
        **shared,
    )


def _check_place(out: Path) -> None:
    """A folder that is no model of ours is not written over."""
    if out.exists() and not (out / MANIFEST).exists() and any(out.iterdir()):
        raise ConfigError(
            "the folder stands already and is no model",
            fix="name a new folder",
            where=str(out),
        )


def _read(path: Path, *, task: str, format: str | None) -> tuple[Case, ...]:  # noqa: A002
    found = read_labelled(path, task=task, format=format).cases
    return cast("tuple[Case, ...]", found)


def _label_names(task: str, cases: Sequence[Case]) -> tuple[str, ...]:
    if task == ner.NAME:
        return ner.tag_names(case for case in cases if isinstance(case, EntityCase))
    name: Callable[[Iterable[LabelCase]], tuple[str, ...]] = (
        sentiment.label_names if task == sentiment.NAME else classification.label_names
    )
    return name(case for case in cases if isinstance(case, LabelCase))


def _choose(
    task: str,
    cases: Sequence[Case],
    *,
    strategy: str,
    settings: EncoderSettings | None,
) -> tuple[EncoderSettings, str]:
    """Settings and the reason for their strategy."""
    is_words = task == ner.NAME
    if settings is not None and strategy not in {"auto", settings.strategy}:
        raise ConfigError(
            f"the strategy is {strategy!r}, the settings say {settings.strategy!r}",
            fix="give one of them",
            where="strategy",
        )
    if settings is None and strategy == "auto":
        counts = Counter(
            case.label if isinstance(case, LabelCase) else "" for case in cases
        )
        chosen, why = choose_strategy(counts, is_words=is_words)
        settings = default_settings(chosen)
    elif settings is None:
        # The settings check that it is a strategy.
        replace(EncoderSettings(), strategy=cast("Strategy", strategy))
        settings, why = default_settings(cast("Strategy", strategy)), "as asked for"
    else:
        why = "as asked for"
    if is_words and settings.strategy == "contrastive":
        raise ConfigError(
            "words cannot be trained by contrasts",
            fix="use full, head, lora or dora",
            where="strategy",
        )
    return settings, why


def _with_changes(
    settings: EncoderSettings, changes: Mapping[str, str], *, is_words: bool
) -> EncoderSettings:
    """Single settings changed; one that would change nothing is refused."""
    is_fitted = settings.strategy == "head" and not is_words
    if is_fitted and (idle := sorted(changes.keys() - _OF_A_FITTED_HEAD)):
        raise ConfigError(
            f"{idle[0]} does nothing where a head is fitted in one go",
            fix="leave it out, or use another strategy",
            where=f"encoder.{idle[0]}",
        )
    return changed(settings, changes)


def _share(
    cases: tuple[Case, ...], *, strategy: str, seed: int
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Training and dev cases; few cases are all for training."""
    if strategy == "contrastive" or len(cases) < _LEAST_CASES_TO_SHARE:
        return cases, ()
    shares = (1 - _DEV_SHARE, _DEV_SHARE)
    train, held = split_stratified(cases, shares=shares, seed=seed)
    return tuple(train), tuple(held)


def _measures(
    job: LabelJob, judged: Sequence[Judged], cases: Sequence[Case]
) -> dict[str, Any]:
    """Every measure of the task on the cases of one side."""
    groups = [case.group or case.id for case in cases]
    if job.task == ner.NAME:
        report = entity_report(
            [one.gold for one in judged],
            [one.predicted for one in judged],
            groups=groups,
            seed=job.seed,
        )
        return {
            ner.PRIMARY_MEASURE: _figure(report.overall.f1),
            "entity_precision": _figure(report.overall.precision),
            "entity_recall": _figure(report.overall.recall),
            "macro_f1": _figure(report.macro_f1),
            "by_type": {name: each.to_json() for name, each in report.by_type.items()},
        }
    gold = [one.gold[0] for one in judged]
    predicted = [one.predicted[0] for one in judged]
    labels = label_report(
        gold, predicted, labels=job.labels, groups=groups, seed=job.seed
    )
    found = {
        "accuracy": _figure(labels.accuracy),
        "macro_f1": _figure(labels.macro_f1),
        "weighted_f1": _figure(labels.weighted_f1),
    }
    place = {label: number for number, label in enumerate(job.labels)}
    known = [number for number, label in enumerate(gold) if label in place]
    if known:
        logits_N_L = np.concatenate([judged[number].logits_W_L for number in known])
        gold_N = np.array([place[gold[number]] for number in known])
        found |= calibration_figures(logits_N_L, gold_N).to_json()
    return found


def _figure(figure: Figure) -> dict[str, float | int]:
    return asdict(figure)
