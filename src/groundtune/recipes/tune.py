"""The job `tune`: labelled cases in, a fine-tuned model folder and its score out."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from groundtune.config.compare import CompareSettings
from groundtune.config.training import ContextSettings, within_budget
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent, unheard
from groundtune.data.cases import read_cases, write_cases
from groundtune.data.splits import sample_cases
from groundtune.measure.answers import PRIMARY
from groundtune.measure.statistics import mean_interval
from groundtune.recipes.ask import DEFAULT_GENERATOR
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.adapters import AdapterJob, train_adapter
from groundtune.recipes.comparison.answering import AnswerJob, answer_cases, make_row
from groundtune.recipes.comparison.knowledge import (
    KnowledgeJob,
    gather_evidence,
)
from groundtune.recipes.comparison.reading import read_evidence, reading_style
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, ingest
from groundtune.recipes.ranks import run_in_ranks
from groundtune.recipes.tracking import check_tracker, feed, tracked
from groundtune.retrieve.query_adapter import adapter_file
from groundtune.store.files import read_json, write_lock
from groundtune.store.folders import remove_folder
from groundtune.store.models import open_model
from groundtune.store.tuned import check_place
from groundtune.systems.build import SystemSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.core.protocols import Progress
    from groundtune.core.values import QaCase
    from groundtune.recipes.tracking import Tracker
    from groundtune.tune.examples import Evidence

_SCORED_DEV_CASES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneReport:
    """What `tune --json` prints."""

    model: str
    """Folder of the tuned model."""
    task: str
    base: str
    dev: dict[str, float | int] | None
    """Primary measure with its interval; None without dev cases."""
    test: dict[str, float | int] | None
    seconds: float
    """Of training alone."""
    right_passage: dict[str, float | int] | None = None
    """As `test`, with the right passage given in place of retrieval, on the cases for
    which it is known; None where that was not asked for."""


def tune(
    task: str,
    *,
    train: Path,
    out: Path,
    dev: Path | None = None,
    test: Path | None = None,
    docs: Sequence[Path] = (),
    kb: Path | None = None,
    base: str = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    seed: int = 0,
    budget_seconds: float | None = None,
    settings: CompareSettings | None = None,
    processes: int = 1,
    gives_passage: bool = False,
    track: str | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> TuneReport:
    """Fine-tune a generator on cases, and score it on cases that it did not see.

    Without documents the adapter learns questions and answers (closed book). With
    documents it learns to read what retrieval finds, and is scored with retrieval.

    Args:
        task: `qa`.
        train: Cases to learn from.
        out: Folder of the tuned model; interrupted training is gone on with.
        dev: Cases that stop training early; a tenth of `train` if not given.
        test: Cases to score on, if any.
        docs: Documents to train to read, indexed beside the model; or
        kb: a knowledge base that stands.
        base: Generator to start from.
        embedder: For `docs`.
        seed: Of every draw.
        budget_seconds: About how long training may take.
        settings: Of training and retrieval.
        processes: How many train together; each holds the whole model.
        gives_passage: Score on the test cases with the right passage given as well:
            how well the model reads, whatever retrieval finds.
        track: One of `tracking.TRACKERS` to hand on to what is measured.
        progress: Told how far each step is.
        tell: Called with where to look at what was tracked.

    Raises:
        ConfigError: Arguments contradict one another.
        DataError: A file cannot be used.
        MissingExtraError: The extra `tune`, or the tracker, is not installed.
    """
    if task != "qa":
        raise ConfigError(
            f"task {task!r} cannot be tuned yet", fix="use qa", where="task"
        )
    if docs and kb is not None:
        raise ConfigError(
            "documents are given twice", fix="give --docs or --kb", where="tune"
        )
    if gives_passage and (test is None or (kb is None and not docs)):
        raise ConfigError(
            "there is no right passage to give",
            fix="give --test, and --docs or --kb",
            where="--right-passage",
        )
    check_place(out)
    if track is not None:
        check_tracker(track)
    chosen = replace(settings or CompareSettings(), seed=seed)
    if budget_seconds is not None:
        chosen = replace(
            chosen,
            closed_book=within_budget(chosen.closed_book, budget_seconds),
            context=within_budget(chosen.context, budget_seconds),
        )
    generator = open_model(base, kind="generator", progress=progress)
    sides = _sides(train, dev, test, seed=seed)
    with write_lock(out.with_name(f".{out.name}.lock")):
        beside = out.with_name(f".{out.name}.evidence")
        if docs:
            kb = out.with_name(f"{out.name}-kb")
            cases = tuple(path for path in (train, dev, test) if path is not None)
            ingest(docs, kb=kb, model=embedder, progress=progress, exclude=cases)
        found = _search(sides, kb, embedder, chosen, beside=beside, progress=progress)
        job = _Tuning(
            name=generator.name,
            base=base,
            out=out,
            sides=sides,
            found=found,
            evidence=beside,
            kb=kb,
            embedder=embedder,
            settings=chosen,
            processes=processes,
            gives_passage=gives_passage,
            is_tracked=track is not None,
        )
        with tracked(track, out=out, task=task, tell=tell) as tracker:
            report = _train_and_score(job, tracker, progress)
        remove_folder(beside)
    return report


Sides = dict[Literal["train", "dev", "test"], tuple["QaCase", ...]]


def _sides(train: Path, dev: Path | None, test: Path | None, *, seed: int) -> Sides:
    cases = tuple(read_cases(train))
    if dev is not None:
        held = tuple(read_cases(dev))
    else:
        held = sample_cases(cases, limit=max(1, len(cases) // 10), seed=seed)
        ids = {case.id for case in held}
        cases = tuple(case for case in cases if case.id not in ids)
    tested = tuple(read_cases(test)) if test is not None else ()
    return {"train": cases, "dev": held, "test": tested}


def _search(
    sides: Sides,
    kb: Path | None,
    embedder: str,
    settings: CompareSettings,
    *,
    beside: Path,
    progress: Progress,
) -> dict[str, Any]:
    """What `gather_evidence` writes; nothing without a knowledge base."""
    if kb is None:
        return {}
    path = beside / "evidence.json"
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for side, cases in sides.items():
            if not cases:
                continue
            write_cases(Path(folder) / f"{side}.jsonl", cases)
        job = KnowledgeJob(
            kb=str(kb),
            embedder=embedder,
            cases=folder,
            out=str(path),
            retrieval=settings.retrieval,
            seed=settings.seed,
            teaches_reading=True,
            reading=settings.reading,
        )
        run_in_child(gather_evidence, job, progress=progress)
    return read_json(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tuning:
    """What one tuning is made of, once everything is found."""

    name: str
    base: str
    out: Path
    sides: Sides
    found: dict[str, Any]
    """What `gather_evidence` wrote; empty for closed book."""
    evidence: Path
    """Where it wrote that."""
    kb: Path | None
    embedder: str
    settings: CompareSettings
    processes: int
    gives_passage: bool
    is_tracked: bool


def _train_and_score(
    tuning: _Tuning, tracker: Tracker, progress: Progress
) -> TuneReport:
    sides, settings, reads = tuning.sides, tuning.settings, tuning.kb is not None
    dev = sample_cases(sides["dev"], limit=settings.dev_cases, seed=settings.seed)
    evidence: dict[str, Evidence] = {}
    reading, ranking = settings.reading, ""
    if reads:
        reading = ContextSettings(**tuning.found["reading"])
        if learned := tuning.found["ranking"]["adapter"]:
            ranking = str(adapter_file(tuning.evidence, learned))
        known = tuning.found["cases"]
        evidence = {
            c.id: read_evidence(known[c.id]["reading"]) for c in (*sides["train"], *dev)
        }
    job = AdapterJob(
        kind="context" if reads else "closed-book",
        base=tuning.base,
        out=str(tuning.out),
        train=sides["train"],
        dev=dev,
        settings=settings.context if reads else settings.closed_book,
        reading=reading,
        evidence=evidence,
        ranking=ranking,
        seed=settings.seed,
        is_tracked=tuning.is_tracked,
    )
    tracker.settings(
        {
            "task": "qa",
            "base": tuning.base,
            "adapter": job.kind,
            "seed": job.seed,
            "cases": len(job.train),
            **asdict(job.settings),
        }
    )
    done = run_in_ranks(
        train_adapter,
        job,
        processes=tuning.processes,
        on_item=partial(feed, tracker),
        progress=progress,
    )
    spec = SystemSpec(
        name="both" if reads else "tuned",
        model=str(tuning.out),
        style=asdict(reading_style(reading)),
        kb=str(tuning.kb) if reads else "",
        embedder=tuning.embedder if reads else "",
        retrieval=tuning.found["retrieval"] if reads else {},
        ranking=ranking,
        max_tokens=settings.answer_tokens,
    )
    given: dict[str, float | int] | None = None
    if tuning.gives_passage:
        right = {
            case.id: gold[:1]
            for case in sides["test"]
            if (gold := tuning.found["cases"][case.id]["gold"])
        }
        reader = replace(spec, name="right passage given", kb="", given=right)
        known = tuple(case for case in sides["test"] if case.id in right)
        given = _score(reader, known, seed=settings.seed, progress=progress)
    few = sample_cases(dev, limit=_SCORED_DEV_CASES, seed=settings.seed)
    scored = {
        "dev": _score(spec, few, seed=settings.seed, progress=progress),
        "test": _score(spec, sides["test"], seed=settings.seed, progress=progress),
    }
    tracker.log(
        int(done.result["training"]["steps"]),
        {
            f"{side}/{PRIMARY}": float(its["value"])
            for side, its in scored.items()
            if its
        },
    )
    return TuneReport(
        model=str(tuning.out),
        task="qa",
        base=tuning.name,
        **scored,
        seconds=done.result["train_seconds"],
        right_passage=given,
    )


def _score(
    spec: SystemSpec, cases: Sequence[QaCase], *, seed: int, progress: Progress
) -> dict[str, float | int] | None:
    if not cases:
        return None
    by_id = {case.id: case for case in cases}
    scores: list[float] = []
    groups: list[str] = []

    def add(item: tuple[str, Any, str | None]) -> None:
        case_id, answer, error = item
        case = by_id[case_id]
        if answer is None:
            scores.append(0.0)
        else:
            row = make_row(spec, case, answer, gold=(), seed=seed, error=error)
            scores.append(row["scores"][PRIMARY])
        groups.append(case.group or case.source or case.id)
        progress(f"scoring {spec.name}", len(scores), len(cases))

    job = AnswerJob(spec=spec, cases=tuple(cases))
    run_in_child(answer_cases, job, on_item=add, progress=progress)
    rng = np.random.default_rng(seed)
    found = mean_interval(scores, groups, rng=rng)
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": len(scores),
    }
