"""The jobs `tune translation`, `tune support` and `tune summarization`.

Texts with their translations, conversations with their replies, or documents with their
summaries in; a fine-tuned generator and its score beside what needs no training out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from groundtune.config.changes import changed
from groundtune.config.training import within_budget
from groundtune.config.writing import WRITING
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent, unheard
from groundtune.recipes.ask import DEFAULT_GENERATOR
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.ranks import run_in_ranks
from groundtune.recipes.text_baselines import (
    PLAIN,
    asked_plainly,
    free_answers,
    with_shots,
)
from groundtune.recipes.text_sides import TextFiles, few, sides_of
from groundtune.recipes.tracking import check_tracker, feed, tracked
from groundtune.recipes.tuning_page.history import training_history
from groundtune.recipes.writing import (
    Answered,
    TextJob,
    answered,
    train_text_model,
)
from groundtune.recipes.written_measures import (
    PRIMARY,
    gained,
    measured,
    measures_of,
)
from groundtune.recipes.written_page import present_texts
from groundtune.store.files import write_lock
from groundtune.store.models import open_model
from groundtune.store.tuned import check_place
from groundtune.systems.writer import WRITTEN_TASKS, tuned_writer_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.config.training import TrainSettings
    from groundtune.core.protocols import Progress
    from groundtune.store.models import ModelFolder
    from groundtune.tune.text_examples import TextCase


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReport:
    """What `tune --json` prints for a task that writes."""

    model: str
    """Folder of the tuned model."""
    task: str
    base: str
    dev: dict[str, float | int] | None
    """Primary measure with its interval, where no test cases were given."""
    test: dict[str, float | int] | None
    seconds: float
    """Of training alone."""
    instruction: str
    rows_left_out: int
    """Training rows that are too long: an answer is never cut."""
    measures: dict[str, dict[str, Any]]
    """Of `tuned`, `plain` and what needs no model, by system: BLEU and chrF, or ROUGE
    for summaries."""
    gains: dict[str, dict[str, float | int]]
    """By measure, how much higher `tuned` scores than `plain` on the same cases."""
    written: dict[str, dict[str, float | int]]
    """By system: new tokens, answers ended by the bound, and without room to ask."""
    plain_prompts: dict[str, float] = field(default_factory=dict[str, float])
    """Where `plain` was asked in several ways: what each scored on dev cases. The best
    is the one asked."""


def tune_generator_on_texts(
    task: str,
    *,
    train: Path,
    out: Path,
    dev: Path | None = None,
    test: Path | None = None,
    test_share: float | None = None,
    base: str = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    seed: int = 0,
    limit: int | None = None,
    format: str | None = None,  # noqa: A002 (the option's name)
    roles: Mapping[str, str] | None = None,
    budget_seconds: float | None = None,
    settings: TrainSettings | None = None,
    changes: Mapping[str, str] | None = None,
    runtime: str = "openvino",
    processes: int = 1,
    track: str | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> TextReport:
    """Fine-tune a generator to write, and score it on cases it did not see.

    Args:
        task: `translation`, `support` or `summarization`.
        train: Cases to learn from, in any format of `data.labelled`.
        out: Folder of the tuned model; interrupted work is gone on with.
        dev: Cases that choose the best weights; some of `train` if not given.
        test: Cases to score on, once; or
        test_share: the share of `train` that is held out for this.
        base: Generator to start from.
        embedder: For finding the most similar training case.
        seed: Of every draw.
        limit: Score on at most so many cases.
        format: Of the files; recognised by content if not given.
        roles: Role to column, or to language for aligned lines; inferred if not given.
        budget_seconds: About how long training may take.
        settings: Of training; the task's own if not given.
        changes: Single settings to change, by name, as text.
        runtime: Engine that answers.
        processes: How many train together; each holds the whole model.
        track: One of `tracking.TRACKERS` to hand on to what is measured.
        progress: Told how far each step is.
        tell: Called with where to look at what was tracked.

    Raises:
        ConfigError: Arguments contradict one another.
        DataError: A file cannot be used, or rows are too long.
        MissingExtraError: The extra `tune`, or the tracker, is not installed.
    """
    if task not in WRITTEN_TASKS:
        raise ConfigError(
            f"task {task!r} writes nothing", fix="use one of its own", where="task"
        )
    if limit is not None and limit < 1:
        raise ConfigError(
            f"limit is {limit}", fix="use 1 case or more", where="--limit"
        )
    check_place(out)
    if track is not None:
        check_tracker(track)
    chosen = within_budget(settings or WRITING[task], budget_seconds)
    chosen = changed(chosen, changes or {}, where="train")
    sides = sides_of(
        TextFiles(task, format, roles),
        train,
        dev,
        test,
        test_share=test_share,
        seed=seed,
    )
    model = open_model(base, kind="generator", progress=progress)
    job = TextJob(
        task=task,
        base=base,
        out=str(out),
        train=sides.train,
        dev=sides.dev,
        instruction=sides.instruction,
        settings=chosen,
        seed=seed,
        is_tracked=track is not None,
    )
    with (
        write_lock(out.with_name(f".{out.name}.lock")),
        tracked(track, out=out, task=task, tell=tell) as tracker,
    ):
        tracker.settings(_facts(job))
        record = run_in_ranks(
            train_text_model,
            job,
            processes=processes,
            on_item=partial(feed, tracker),
            progress=progress,
        ).result
        basis: Literal["test", "dev"] = "test" if sides.test else "dev"
        cases = few(sides.test or sides.dev, limit=limit, seed=seed)
        if not cases:
            return _report(job, model, record)
        said, tried = _answers(
            job, cases, basis=basis, embedder=embedder, runtime=runtime, tell=progress
        )
        report = _scored(job, model, record, cases, said, basis=basis)
        tracker.log(
            int(record["training"]["steps"]),
            {
                f"{basis}/{measure}": float(report.measures["tuned"][measure]["value"])
                for measure in measures_of(task)
            },
        )
        _present(job, model, record, cases, said, basis=basis)
    return replace(report, plain_prompts=tried)


def _facts(job: TextJob) -> dict[str, object]:
    return {
        "task": job.task,
        "base": job.base,
        "instruction": job.instruction,
        "seed": job.seed,
        "cases": len(job.train),
        **asdict(job.settings),
    }


def _answers(
    job: TextJob,
    cases: tuple[TextCase, ...],
    *,
    basis: str,
    embedder: str,
    runtime: str,
    tell: Progress,
) -> tuple[dict[str, Answered], dict[str, float]]:
    """What each system says to the cases: tuned, plain, and what needs no model.

    With it the ways in which plain was asked on dev cases, and how they did.
    """
    folder = Path(job.out) / "evaluation"
    tuned = tuned_writer_spec(job.out, runtime=runtime)
    plain = replace(tuned, name=PLAIN, model=job.base)
    way, tried = asked_plainly(job, plain, folder=folder, progress=tell)
    asked = [with_shots(case, way) for case in cases]
    said = {
        spec.name: answered(
            spec, its, log=folder / f"{basis}-{spec.name}.jsonl", progress=tell
        )
        for spec, its in (
            (tuned, cases),
            (replace(plain, instruction=way.instruction), asked),
        )
    }
    free = free_answers(job, cases, embedder=embedder, progress=tell)
    said[free.name] = Answered(free.texts, cut=0, failed=0, tokens=0, seconds=0.0)
    return said, dict(tried)


def _scored(
    job: TextJob,
    model: ModelFolder,
    record: Mapping[str, Any],
    cases: Sequence[TextCase],
    said: Mapping[str, Answered],
    *,
    basis: str,
) -> TextReport:
    references = [case.accepted for case in cases]
    groups = [case.group or case.id for case in cases]
    measures = {
        name: measured(
            job.task, one.texts, references, groups=groups, seed=job.seed
        ).to_json()
        for name, one in said.items()
    }
    gains = {
        measure: gained(
            said["tuned"].texts,
            said[PLAIN].texts,
            references,
            measure=measure,
            groups=groups,
            seed=job.seed,
        ).to_json()
        for measure in measures_of(job.task)
    }
    report = _report(job, model, record)
    return replace(
        report,
        **{basis: measures["tuned"][PRIMARY[job.task]]},
        measures=measures,
        gains=gains,
        written={
            name: {"tokens": one.tokens, "cut": one.cut, "failed": one.failed}
            for name, one in said.items()
            if name in {"tuned", PLAIN}
        },
    )


def _report(job: TextJob, model: ModelFolder, record: Mapping[str, Any]) -> TextReport:
    """The report of a training, before anything is scored."""
    return TextReport(
        model=job.out,
        task=job.task,
        base=model.name,
        dev=None,
        test=None,
        seconds=float(record["training"]["seconds"]),
        instruction=job.instruction,
        rows_left_out=int(record["training"]["rows_left_out"]),
        measures={},
        gains={},
        written={},
    )


def _present(
    job: TextJob,
    model: ModelFolder,
    record: Mapping[str, Any],
    cases: Sequence[TextCase],
    said: Mapping[str, Answered],
    *,
    basis: Literal["test", "dev"],
) -> None:
    """Write the page and the card into the model's folder."""
    training = record["training"]
    limits = ["It writes fluent text that can be wrong: have what matters read."]
    if cut := said["tuned"].cut:
        limits.append(
            f"{cut} of {len(cases)} answers were ended by the bound of "
            f"{record['template']['max_new_tokens']} new tokens."
        )
    present_texts(
        Path(job.out),
        task=job.task,
        measure=PRIMARY[job.task],
        train=job.train,
        test=cases,
        predicted=said["tuned"].texts,
        base=model.name,
        method=f"LoRA, rank {job.settings.rank}",
        baselines={name: one.texts for name, one in said.items() if name != "tuned"},
        dev=job.dev if basis == "test" else (),
        history=training_history(
            training["train_losses"],
            dev_losses=[(at, loss) for at, loss in training["dev_losses"]],
        ),
        settings={**asdict(job.settings), "instruction": job.instruction},
        licence=model.licence,
        limits=limits,
        basis=basis,
        seed=job.seed,
    )
