"""The jobs `tune sentiment`, `tune classification` and `tune ner`.

Labelled cases in, a fine-tuned encoder with a head and its score out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent, unheard
from groundtune.recipes.child import run_in_child
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.labelling import LabelJob, read_judged, train_label_model
from groundtune.recipes.labels.crossed import made_crossed, read_crossed
from groundtune.recipes.labels.folds import (
    FoldsJob,
    check_counts,
    check_folds,
    cross_validate,
    folds_folder,
)
from groundtune.recipes.labels.job import LABEL_TASKS, described_job
from groundtune.recipes.labels.reading import cut_texts, examine_sides, read_sides
from groundtune.recipes.labels.search import (
    SearchJob,
    Tried,
    best_of,
    search_folds,
    search_labels,
)
from groundtune.recipes.labels.settings import check_shared, choose_settings
from groundtune.recipes.labels.space import search_space
from groundtune.recipes.labels.telling import present_model, side_measures
from groundtune.recipes.ranks import run_in_ranks
from groundtune.recipes.tracking import check_tracker, feed, tracked
from groundtune.retrieve.embed import open_embedder
from groundtune.store.files import write_lock
from groundtune.store.folders import remove_folder
from groundtune.store.models import open_model
from groundtune.store.tuned import check_place
from groundtune.tasks import ner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from groundtune.config.encoder import EncoderSettings
    from groundtune.core.protocols import Progress
    from groundtune.recipes.labels.crossed import Crossed
    from groundtune.recipes.labels.space import Space
    from groundtune.recipes.tracking import Tracker
    from groundtune.store.models import ModelFolder


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
    """The same on test cases; None where there are none."""
    cross_validation: dict[str, Any] | None
    """Training cases, each judged by a model that never saw it; None without folds.

    `folds`, `repeats` and `cases` as they are. `measure` names the primary measure and
    `figure` is its mean over draws, with the mean ends of its interval, made wider as
    `measure.folds` says; `measures` has every measure so, `draws` the primary one of
    each draw. `parts` lists each fold of each draw with its `value` (and what its own
    search chose), `baselines` the primary measure of each baseline on the same folds;
    `temperature` was fitted to all cases."""
    seconds: float
    """Of the final training alone."""
    strategy: str
    why: str
    labels: list[str]
    temperature: float
    """What logits were divided by to fit dev cases, or with folds the training cases,
    each by the model of its fold; it is part of the weights."""
    measures: dict[str, dict[str, Any]]
    """Every measure, by side."""
    data: dict[str, Any]
    """How each file was read, what was left out of it, and what the doctor found."""
    search: dict[str, Any] | None
    """Settings tried, with the score of each; None where none were searched."""
    budget: dict[str, Any] | None
    """What a budget was turned into; None without one."""


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
    roles: Mapping[str, str] | None = None,
    settings: EncoderSettings | None = None,
    changes: Mapping[str, str] | None = None,
    accepted: Collection[str] = (),
    search: int = 0,
    folds: int = 0,
    repeats: int = 1,
    budget_seconds: float | None = None,
    processes: int = 1,
    track: str | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> LabelReport:
    """Fine-tune an encoder on labelled cases, and score it on cases it did not see.

    Args:
        task: One of `LABEL_TASKS`.
        train: Cases to learn from, in any format of `data.labelled`. Those whose texts
            stand in `test` or `dev` as well are left out.
        out: Folder of the tuned model; interrupted training is gone on with.
        dev: Cases that choose the best weights and the temperature; a tenth of
            `train` if not given and there is enough.
        test: Cases to score on, once, if any.
        base: Encoder to start from.
        strategy: `auto`, or one of `config.encoder.STRATEGIES`.
        seed: Of every draw.
        format: Of the files; recognised by content if not given.
        roles: Role to column; the others are inferred.
        settings: Of training; where given, `strategy` must be `auto` or agree.
        changes: Single settings to change, by name, as text.
        accepted: Kinds of errors in the data that are known of and meant.
        search: How many settings to try before the one that is trained with; 0 for
            none. `labels.space` says what is varied.
        folds: Parts in which the training cases are held out in turn, each judged by a
            model trained on the others, before one is trained on all; 0 for none. A
            search is then made within each part as well.
        repeats: How often the folds are cut, each time with the next seed.
        budget_seconds: About how long training may take; with a search or folds, all
            trainings together, each an equal share.
        processes: How many train together; each holds the whole model.
        track: One of `tracking.TRACKERS` to hand on to what is measured.
        progress: Told how far each step is.
        tell: Called with what is worth knowing before time is spent.

    Raises:
        ConfigError: Arguments contradict one another.
        DataError: A file cannot be used, or the doctor finds an error in it.
        MissingExtraError: The extra `tune`, or the tracker, is not installed.
    """
    if task not in LABEL_TASKS:
        raise ConfigError(
            f"task {task!r} has no labels", fix="use one of its own", where="task"
        )
    check_place(out)
    check_counts(folds, repeats)
    if track is not None:
        check_tracker(track)
    # 1) Read, and look before time is spent.
    files = {"train": train, "dev": dev, "test": test}
    sides = read_sides(
        {side: path for side, path in files.items() if path is not None},
        task=task,
        format=format,
        roles=roles or {},
        tell=tell,
    )
    chosen, why = choose_settings(
        sides.cases("train"),
        is_words=task == ner.NAME,
        strategy=strategy,
        settings=settings,
        changes=changes or {},
    )
    job = described_job(
        sides,
        chosen,
        why,
        task=task,
        base=base,
        out=out,
        seed=seed,
        keeps_all=folds > 0,
    )
    findings = examine_sides(sides, accepted=accepted, tell=tell)
    model = open_model(base, kind="embedder", progress=progress)
    if not job.is_words:
        findings += cut_texts(sides, model, max_tokens=chosen.max_tokens, tell=tell)
    trainings = (search * max(1, search_folds(job)) + 1) * (folds * repeats + 1)
    job = replace(
        job,
        budget_seconds=budget_seconds and budget_seconds / trainings,
        is_tracked=track is not None,
        record={
            "data": sides.record(findings),
            "search": None,
            "cross_validation": None,
        },
    )
    space = (
        search_space(
            chosen,
            is_auto=strategy == "auto" and settings is None,
            is_words=job.is_words,
            changes=changes or {},
        )
        if search
        else None
    )
    with write_lock(out.with_name(f".{out.name}.lock")):
        # 2) Cross-validate and choose among settings, if asked for.
        crossed: Crossed | None = None
        if folds:
            asked = FoldsJob(
                job=replace(job, test=(), is_tracked=False, record={}),
                folds=folds,
                repeats=repeats,
                space=space,
                trials=search,
            )
            check_folds(asked, where=train, accepted=accepted, tell=tell)
            crossed = _crossed(asked, model, progress=progress, tell=tell)
        if space is not None:
            job = _searched(job, space, trials=search, progress=progress, tell=tell)
        if crossed is not None:
            job = _after(job, crossed)
        check_shared(job.settings, processes=processes, is_words=job.is_words)
        # 3) Train, and measure what was said of held-out cases.
        with tracked(track, out=out, task=task, tell=tell) as tracker:
            tracker.settings(_facts(job))
            record = _train(job, tracker, processes=processes, progress=progress)
            judged = {
                side: read_judged(out, side, found)
                for side, found in (("dev", job.dev), ("test", job.test))
                if found
            }
            measures = {
                side: side_measures(job, judged[side], getattr(job, side))
                for side in judged
            }
            primary = ner.PRIMARY_MEASURE if job.is_words else "accuracy"
            scored = {side: found[primary]["value"] for side, found in measures.items()}
            if crossed is not None:
                scored["folds"] = crossed.figure.value
                remove_folder(folds_folder(out))
            tracker.log(
                int(record["training"]["steps"]),
                {f"{side}/{primary}": float(value) for side, value in scored.items()},
            )
    # 4) Tell.
    if judged or crossed is not None:
        present_model(
            job, judged, record, model=model, crossed=crossed, progress=progress
        )
    return LabelReport(
        model=str(out),
        task=task,
        base=model.name,
        dev=measures["dev"][primary] if "dev" in measures else None,
        test=measures["test"][primary] if "test" in measures else None,
        cross_validation=crossed.told if crossed else None,
        seconds=float(record["training"]["seconds"]),
        strategy=job.settings.strategy,
        why=job.why,
        labels=list(job.labels),
        temperature=float(record["temperature"]),
        measures=measures,
        data=job.record["data"],
        search=job.record["search"],
        budget=record["training"].get("budget"),
    )


def _train(
    job: LabelJob, tracker: Tracker, *, processes: int, progress: Progress
) -> dict[str, Any]:
    run: Callable[..., Any] = run_in_child
    if processes != 1:
        run = partial(run_in_ranks, processes=processes)
    hear = partial(feed, tracker)
    return run(train_label_model, job, on_item=hear, progress=progress).result


def _crossed(
    asked: FoldsJob,
    model: ModelFolder,
    *,
    progress: Progress,
    tell: Callable[[str], None],
) -> Crossed:
    """What the folds say, unless the model that stands there knows it already."""
    name = asked.name(model)
    if (known := read_crossed(Path(asked.job.out), name)) is not None:
        return known
    tell(
        f"{asked.folds * asked.repeats} trainings for cross-validation, then one on "
        f"all {len(asked.job.train):,} cases"
    )
    return made_crossed(
        asked,
        run_in_child(cross_validate, asked, progress=progress).result,
        name=name,
        embedder=None if asked.job.is_words else open_embedder(model),
        progress=progress,
    )


def _after(job: LabelJob, crossed: Crossed) -> LabelJob:
    """The training on all cases, with what was learnt from the folds."""
    return replace(
        job,
        temperature=crossed.record["temperature"],
        cross_validation=crossed.name,
        record={**job.record, "cross_validation": crossed.record},
        files=crossed.files,
    )


def _searched(
    job: LabelJob,
    space: Space,
    *,
    trials: int,
    progress: Progress,
    tell: Callable[[str], None],
) -> LabelJob:
    """The job with the best of the settings tried, and a record of them."""
    folds = search_folds(job)
    asked = SearchJob(
        job=replace(job, test=(), is_tracked=False, record={}),
        space=space,
        trials=trials,
        folds=folds,
    )
    found = run_in_child(search_labels, asked, progress=progress).result
    tried = [Tried.read(one) for one in found]
    best = best_of(tried)
    chosen_on = (
        f"{len(job.train)} training cases in {folds} folds"
        if folds
        else f"{len(job.dev)} dev cases"
    )
    told = [
        {
            "number": one.number,
            "strategy": one.settings.strategy,
            "settings": space.varied(one.settings),
            "score": one.score,
            "folds": one.parts,
            "is_whole": one.is_whole,
            "seconds": one.seconds,
        }
        for one in tried
    ]
    varied = ", ".join(f"{k} {v}" for k, v in space.varied(best.settings).items())
    tell(
        f"trial {best.number} of {len(tried)} is the best on {chosen_on}: "
        f"{best.score:.3f} with {best.settings.strategy}"
        f"{f', {varied}' if varied else ''}"
    )
    return replace(
        job,
        settings=best.settings,
        why=f"the best of {len(tried)} settings on {chosen_on}",
        record={
            **job.record,
            "search": {
                "chosen": best.number,
                "chosen_on": chosen_on,
                "measure": ner.PRIMARY_MEASURE if job.is_words else "accuracy",
                "trials": told,
            },
        },
    )


def _facts(job: LabelJob) -> dict[str, object]:
    return {
        "task": job.task,
        "base": job.base,
        "seed": job.seed,
        "cases": len(job.train),
        **asdict(job.settings),
    }
