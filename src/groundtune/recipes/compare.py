"""`compare`: four arms on the same cases, from documents and labels to a verdict.

Read top to bottom. Every step leaves its result in the run folder and is passed over
when it stands there, so an interrupted run goes on where it stopped and ends in the
same rows. What each step does is in `comparison/`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundtune.config.compare import CompareSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.recipes.comparison.elsewhere import made_with, without_training
from groundtune.recipes.comparison.notice import after_retrieval, before_training
from groundtune.recipes.comparison.plan import Plan
from groundtune.recipes.comparison.prepare import (
    Sources,
    describe,
    prepare,
    write_split,
)
from groundtune.recipes.ingest import ingest
from groundtune.recipes.report import report, write_html
from groundtune.store.files import write_json, write_lock
from groundtune.store.run import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from groundtune.config.training import TrainSettings
    from groundtune.core.protocols import Progress
    from groundtune.measure.comparison import Summary


def unheard(_: str) -> None:
    """The listener that drops what it is told."""


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
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> Summary:
    """Measure plain, rag, tuned and both on one set of test cases.

    Args:
        task: `qa`.
        out: Run folder; an interrupted run in it is gone on with.
        cases: Labelled cases, split by document here; or
        train: cases to learn from,
        dev: to choose settings on (a part of `train` if not given), and
        test: to measure on.
        docs: Files and folders to answer from, indexed into the run folder; or
        kb: a knowledge base that stands.
        model: Generator: catalog name, folder, hub id, or `URL#NAME`, of which plain
            and rag are measured.
        embedder: For `docs`: catalog name, folder, hub id or `URL#NAME`.
        limit: Most test cases.
        arms: Arms to measure, all four if not given.
        seed: Of every draw.
        seeds: Trainings of each adapter.
        budget_seconds: About how long all training together may take.
        settings: Everything else; the named arguments above take precedence.
        progress: Told how far each step is.
        tell: Called with what is worth knowing before time is spent: doubts about
            the data, the smallest gap that can be seen, what retrieval finds.

    Raises:
        ConfigError: Arguments contradict one another, or the folder's run.
        DataError: Cases or documents cannot be used.
        GroundtuneError: A model or a store fails; what was done stands.
    """
    if task != "qa":
        raise ConfigError(
            f"task {task!r} cannot be compared yet", fix="use qa", where="task"
        )
    chosen = settings or CompareSettings()
    chosen = replace(
        chosen,
        arms=tuple(arms) if arms else chosen.arms,
        limit=limit if limit is not None else chosen.limit,
        seed=seed,
        training_seeds=seeds,
    )
    if budget_seconds is not None:
        chosen = within_budget(chosen, budget_seconds)
    sources = Sources(
        cases=cases, train=train, dev=dev, test=test, docs=tuple(docs), kb=kb
    )

    # 1) Check everything that can be wrong before any time is spent.
    chosen = without_training(chosen, model, tell=tell)
    generator = made_with(model, kind="generator", progress=progress)
    embedding = made_with(embedder, kind="embedder", progress=progress)
    prepared = prepare(sources, chosen)
    made_of = describe(
        prepared, sources, chosen, generator=generator, embedder=embedding
    )
    for line in before_training(prepared):
        tell(line)
    with write_lock(out.with_name(f".{out.name}.lock")):
        run = RunFolder.create_or_resume(out, made_of)
        write_split(prepared.splits, out / "cases")

        # 2) Index the documents and search for every case, once for all arms.
        kb_path = kb or out / "kb"
        if kb is None:
            indexed = ingest(
                docs,
                kb=kb_path,
                model=embedder,
                progress=progress,
                exclude=sources.case_files,
            )
            _refuse_unread(indexed.failed)

        # 3) Base first: what the published weights do, told in the way they like best.
        plan = Plan(
            run=run,
            settings=chosen,
            splits=prepared.splits,
            kb=kb_path,
            model=model,
            embedder=embedder,
        )
        for line in after_retrieval(plan.search(progress)):
            tell(line)
        plan.choose_styles(progress)
        for name in plan.untrained():
            plan.answer(name, chosen.seed, progress)

        # 4) Train both adapters, once a seed, and let their systems answer.
        for number in range(chosen.training_seeds):
            training_seed = chosen.seed + number
            for kind in plan.adapters():
                plan.train(kind, training_seed, progress)
            for name in plan.trained():
                plan.answer(name, training_seed, progress)

        # 5) Every figure is a view of the rows.
        summary = report(out)
        write_json(out / "summary.json", summary.to_json())
        write_html(out, summary)
    return summary


TOKENS_PER_SECOND = 300.0
"""Training speed that a budget is turned into tokens by: two CPU cores with bf16. The
count of tokens, unlike a stop-watch, gives the same weights twice."""


def within_budget(settings: CompareSettings, seconds: float) -> CompareSettings:
    """Bound the training tokens so that all trainings take about `seconds`.

    Raises:
        ConfigError: The budget is too small to train anything.
    """
    tokens = int(seconds * TOKENS_PER_SECOND / settings.training_seeds)
    if tokens < 2 * settings.context.batch_tokens:
        raise ConfigError(
            f"{seconds:.0f} s are too few to train in",
            fix="give a longer budget, or leave out tuned and both with --arms",
            where="--budget",
        )
    whole = settings.closed_book.max_tokens + settings.context.max_tokens
    share = min(1.0, tokens / whole)

    def bounded(part: TrainSettings) -> TrainSettings:
        return replace(part, max_tokens=max(1, int(part.max_tokens * share)))

    return replace(
        settings,
        closed_book=bounded(settings.closed_book),
        context=bounded(settings.context),
    )


def _refuse_unread(failed: Sequence[Any]) -> None:
    if failed:
        name, reason = failed[0]
        raise DataError(
            f"{len(failed)} document(s) cannot be read; {name}: {reason}",
            fix="mend them, or take them out of --docs",
        )
