"""The jobs `tune translation` and `tune support`.

Texts with their translations, or conversations with their replies in; a fine-tuned
generator and its score beside what needs no training out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from groundtune.config.changes import changed
from groundtune.config.writing import WRITING, within_budget
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent
from groundtune.measure.texts import text_gain, text_report
from groundtune.recipes.ask import DEFAULT_GENERATOR
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model
from groundtune.recipes.ranks import run_in_ranks
from groundtune.recipes.text_sides import TextFiles, few, sides_of
from groundtune.recipes.tuning_page.history import training_history
from groundtune.recipes.writing import (
    Answered,
    TextJob,
    answered,
    train_text_model,
)
from groundtune.recipes.written_page import asked_text, present_texts
from groundtune.store.files import write_lock
from groundtune.store.models import open_model
from groundtune.store.tuned import check_place
from groundtune.systems.memory import nearest_answers
from groundtune.systems.writer import WRITTEN_TASKS, tuned_writer_spec
from groundtune.tasks import support, translation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.config.training import TrainSettings
    from groundtune.core.protocols import Progress
    from groundtune.store.models import ModelFolder
    from groundtune.tune.text_examples import TextCase

MEMORY = {translation.NAME: "translation memory", support.NAME: "nearest question"}
"""What the answer of the most similar training case is called, by task."""
PLAIN = "plain"

_PRIMARY = {
    translation.NAME: translation.PRIMARY_MEASURE,
    support.NAME: support.PRIMARY_MEASURE,
}
_MEASURES = ("bleu", "chrf")


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
    """BLEU and chrF of `tuned`, `plain` and the memory, by system."""
    gains: dict[str, dict[str, float | int]]
    """By measure, how much higher `tuned` scores than `plain` on the same cases."""
    written: dict[str, dict[str, float | int]]
    """By system: new tokens, answers ended by the bound, and without room to ask."""


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
    progress: Progress = silent,
) -> TextReport:
    """Fine-tune a generator to write, and score it on cases it did not see.

    Args:
        task: `translation` or `support`.
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
        progress: Told how far each step is.

    Raises:
        ConfigError: Arguments contradict one another.
        DataError: A file cannot be used, or rows are too long.
        MissingExtraError: The extra `tune` is not installed.
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
    )
    with write_lock(out.with_name(f".{out.name}.lock")):
        record = run_in_ranks(
            train_text_model, job, processes=processes, progress=progress
        ).result
        basis: Literal["test", "dev"] = "test" if sides.test else "dev"
        cases = few(sides.test or sides.dev, limit=limit, seed=seed)
        if not cases:
            return _report(job, model, record)
        said = _answers(
            job, cases, basis=basis, embedder=embedder, runtime=runtime, tell=progress
        )
        report = _scored(job, model, record, cases, said, basis=basis)
        _present(job, model, record, cases, said, basis=basis)
    return report


def _answers(
    job: TextJob,
    cases: tuple[TextCase, ...],
    *,
    basis: str,
    embedder: str,
    runtime: str,
    tell: Progress,
) -> dict[str, Answered]:
    """What each system says to the cases: tuned, plain and the memory."""
    folder = Path(job.out) / "evaluation"
    tuned = tuned_writer_spec(job.out, runtime=runtime)
    said = {
        spec.name: answered(
            spec, cases, log=folder / f"{basis}-{spec.name}.jsonl", progress=tell
        )
        for spec in (tuned, replace(tuned, name=PLAIN, model=job.base))
    }
    tell("searching the most similar cases", 0, None)
    copied = nearest_answers(
        [asked_text(case) for case in cases],
        known=[asked_text(case) for case in job.train],
        answers=[case.target for case in job.train],
        embedder=open_embedding_model(embedder, progress=tell),
    )
    said[MEMORY[job.task]] = Answered(copied, cut=0, failed=0, tokens=0, seconds=0.0)
    return said


def _scored(
    job: TextJob,
    model: ModelFolder,
    record: Mapping[str, Any],
    cases: Sequence[TextCase],
    said: Mapping[str, Answered],
    *,
    basis: str,
) -> TextReport:
    references = [case.target for case in cases]
    groups = [case.group or case.id for case in cases]
    measures = {
        name: text_report(one.texts, references, groups=groups, seed=job.seed).to_json()
        for name, one in said.items()
    }
    gains = {
        measure: text_gain(
            said["tuned"].texts,
            said[PLAIN].texts,
            references,
            measure=measure,
            groups=groups,
            seed=job.seed,
        ).to_json()
        for measure in _MEASURES
    }
    report = _report(job, model, record)
    return replace(
        report,
        **{basis: measures["tuned"][_PRIMARY[job.task]]},
        measures=measures,
        gains=gains,
        written={
            name: {"tokens": one.tokens, "cut": one.cut, "failed": one.failed}
            for name, one in said.items()
            if name != MEMORY[job.task]
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
        measure=_PRIMARY[job.task],
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
