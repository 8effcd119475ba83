"""`compare`: four arms on the same cases, from documents and labels to a verdict.

Every step leaves its result in the run folder and is passed over when it stands there,
so an interrupted run goes on where it stopped and ends in the same rows. What the arms
of a task are, and the steps that make them, is in `comparison/`: `by_documents.py`,
`by_claims.py`, `by_labels.py`, `by_texts.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from groundtune.config.compare import CompareSettings
from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent, unheard
from groundtune.recipes.comparison.by_claims import compare_claims
from groundtune.recipes.comparison.by_documents import compare_documents
from groundtune.recipes.comparison.by_labels import compare_labels
from groundtune.recipes.comparison.by_texts import compare_texts
from groundtune.recipes.comparison.prepare import (
    ExampleSources,
    Sources,
    check_cases,
)
from groundtune.recipes.labels.job import LABEL_TASKS
from groundtune.recipes.report import report, write_html, write_markdown
from groundtune.store.files import write_json, write_lock
from groundtune.systems.writer import WRITTEN_TASKS
from groundtune.tasks import dialogue, fact_check, qa

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.measure.comparison import Summary

OVER_DOCUMENTS = (qa.NAME, dialogue.NAME, fact_check.NAME)
"""Tasks whose evidence is passages; of the others it is labelled cases."""
TASKS = (*OVER_DOCUMENTS, *LABEL_TASKS, *WRITTEN_TASKS)


def compare(  # the command line's options, one for one
    task: str,
    *,
    out: Path,
    cases: Path | None = None,
    train: Path | None = None,
    dev: Path | None = None,
    test: Path | None = None,
    docs: Sequence[Path] = (),
    kb: Path | None = None,
    model: str = "smollm2-135m-instruct",
    embedder: str = "all-minilm-l6-v2",
    limit: int | None = None,
    arms: Sequence[str] | None = None,
    seed: int = 0,
    seeds: int = 1,
    budget_seconds: float | None = None,
    settings: CompareSettings | None = None,
    format: str | None = None,  # noqa: A002 (the option's name)
    roles: Mapping[str, str] | None = None,
    changes: Mapping[str, str] | None = None,
    accepted: Collection[str] = (),
    learning_curve: bool = False,
    protocol: ProtocolSettings | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> Summary:
    """Measure plain, rag, tuned and both on one set of test cases.

    Args:
        task: One of `TASKS`.
        out: Run folder; an interrupted run in it is gone on with.
        cases: Labelled cases, split here; or
        train: cases to learn from,
        dev: to choose settings on (a part of `train` if not given), and
        test: to measure on.
        docs: For tasks over documents: files and folders to answer from, indexed into
            the run folder; or
        kb: a knowledge base that stands.
        model: Generator: catalog name, folder, hub id, or `URL#NAME`, of which plain
            and rag are measured.
        embedder: Catalog name, folder, hub id or `URL#NAME`; of label tasks also what
            tuning starts from, and then no `URL#NAME`.
        limit: Most test cases.
        arms: Arms to measure, all four if not given.
        seed: Of every draw.
        seeds: Trainings of each tuned arm.
        budget_seconds: About how long all training together may take.
        settings: Everything else; the named arguments above take precedence.
        format: Of labelled cases; recognised by content if not given.
        roles: Of labelled cases: role to column; the others are inferred.
        changes: Single settings of training, by name, as text; for tasks with labels
            and those that write.
        accepted: Kinds of errors in labelled cases that are known of and meant.
        learning_curve: Train tuned on nested parts of its cases as well, and say what
            more cases would bring; not for fact_check.
        protocol: By what the rows are judged, with the person's own weights; stands in
            the run from before its first row.
        progress: Told how far each step is.
        tell: Called with what is worth knowing before time is spent: doubts about
            the data, the smallest gap that can be seen, what retrieval finds.

    Raises:
        ConfigError: Arguments contradict one another, or the folder's run.
        DataError: Cases or documents cannot be used.
        GroundtuneError: A model or a store fails; what was done stands.
    """
    if task not in TASKS:
        raise ConfigError(
            f"task {task!r} cannot be compared yet",
            fix=f"use {', '.join(TASKS)}",
            where="task",
        )
    chosen = settings or CompareSettings()
    chosen = replace(
        chosen,
        arms=tuple(arms) if arms else chosen.arms,
        limit=limit if limit is not None else chosen.limit,
        seed=seed,
        training_seeds=seeds,
        learning_curve=learning_curve or chosen.learning_curve,
        protocol=protocol or chosen.protocol or _usual_protocol(task),
    ).of_arms()
    files = {"cases": cases, "train": train, "dev": dev, "test": test}
    check_cases(**files)
    with write_lock(out.with_name(f".{out.name}.lock")):
        if task in OVER_DOCUMENTS:
            if chosen.learning_curve and task == fact_check.NAME:
                raise ConfigError(
                    f"the learning curve of {task} is not measured",
                    fix="leave out --learning-curve",
                    where="--learning-curve",
                )
            if changes:
                raise ConfigError(
                    f"{next(iter(changes))} cannot be set for {task}",
                    fix="use --budget, or the settings of the Python function",
                    where="--set",
                )
            over = Sources(**files, docs=tuple(docs), kb=kb)
            if task == fact_check.NAME and budget_seconds is not None:
                raise ConfigError(
                    "the judges of claims train in a minute or two, without a budget",
                    fix="leave out --budget",
                    where="--budget",
                )
            measure = (
                compare_claims
                if task == fact_check.NAME
                else partial(compare_documents, task, budget_seconds=budget_seconds)
            )
            measure(
                out=out,
                sources=over,
                model=model,
                embedder=embedder,
                settings=chosen,
                progress=progress,
                tell=tell,
            )
        else:
            _refuse_documents(task, docs=docs, kb=kb)
            examples = ExampleSources(
                **files, format=format, roles=roles or {}, accepted=accepted
            )
            measure_examples = (
                partial(compare_labels, base=embedder)
                if task in LABEL_TASKS
                else partial(compare_texts, model=model, embedder=embedder)
            )
            measure_examples(
                task,
                out=out,
                sources=examples,
                settings=chosen,
                changes=changes or {},
                budget_seconds=budget_seconds,
                progress=progress,
                tell=tell,
            )
        # Every figure is a view of the rows.
        summary = report(out)
        write_json(out / "summary.json", summary.to_json())
        write_html(out, summary)
        write_markdown(out, summary)
    return summary


def _usual_protocol(task: str) -> ProtocolSettings | None:
    """Labelled cases do not go out of date as facts do: nothing is trained again."""
    if task in OVER_DOCUMENTS:
        return None
    return ProtocolSettings(updates_per_month=0.0)


def _refuse_documents(task: str, *, docs: Sequence[Path], kb: Path | None) -> None:
    if docs or kb is not None:
        raise ConfigError(
            f"{task} has no documents: its evidence is the labelled cases",
            fix="leave out --docs and --kb",
            where="compare",
        )
