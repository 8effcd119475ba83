"""`compare` for tasks over documents: evidence is what a knowledge base holds.

plain answers alone, rag reads passages, tuned learned questions and answers, and both
learned to read. Each step leaves its result in the run folder and is passed over when
it stands there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.measure.answers import PRIMARY
from groundtune.recipes.comparison.budget import spend, spent_on
from groundtune.recipes.comparison.elsewhere import made_with, without_training
from groundtune.recipes.comparison.notice import (
    after_retrieval,
    after_untrained,
    before_training,
)
from groundtune.recipes.comparison.plan import Plan
from groundtune.recipes.comparison.prepare import SEEN, describe, prepare, write_split
from groundtune.recipes.ingest import ingest
from groundtune.store.run import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.core.protocols import Progress
    from groundtune.recipes.comparison.prepare import Sources


def compare_documents(
    task: str,
    *,
    out: Path,
    sources: Sources,
    model: str,
    embedder: str,
    settings: CompareSettings,
    budget_seconds: float | None,
    progress: Progress,
    tell: Callable[[str], None],
) -> None:
    """Bring the rows of all arms to completion.

    Args:
        task: `qa` or `dialogue`.
        out: Run folder.
        sources: Cases and documents.
        model: Generator of which plain and rag are measured.
        embedder: For documents that are indexed here.
        settings: Arms, sizes, seeds.
        budget_seconds: About how long all trainings may take.
        progress: Told how far each step is.
        tell: Told what is worth knowing before time is spent.

    Raises:
        ConfigError: Arguments contradict one another, or the folder's run.
        DataError: Cases or documents cannot be used.
        GroundtuneError: A model or a store fails; what was done stands.
    """
    # 1) Check everything that can be wrong before any time is spent.
    chosen = without_training(settings, model, tell=tell)
    generator = made_with(model, kind="generator", progress=progress)
    embedding = made_with(embedder, kind="embedder", progress=progress)
    prepared = prepare(sources, chosen, task=task)
    if budget_seconds is not None:
        chosen = spend(chosen, budget_seconds, is_seen=prepared.regime == SEEN)
        tell(spent_on(chosen))
    made_of = describe(
        prepared, sources, chosen, generator=generator, embedder=embedding, task=task
    )
    for line in before_training(prepared, arms=len(chosen.arms)):
        tell(line)
    run = RunFolder.create_or_resume(out, made_of)
    write_split(prepared.splits, out / "cases")

    # 2) Index the documents and search for every case, once for all arms.
    kb = sources.kb or _indexed(run, sources, embedder, progress)

    # 3) Base first: what the published weights do, told in the way they like best.
    plan = Plan(
        run=run,
        settings=chosen,
        splits=prepared.splits,
        kb=kb,
        model=model,
        embedder=embedder,
    )
    for line in after_retrieval(plan.search(progress)):
        tell(line)
    plan.choose_styles(progress)
    for name in plan.untrained():
        plan.answer(name, chosen.seed, progress)
    for line in after_untrained(run, measure=PRIMARY):
        tell(line)

    # 4) Train both adapters, once a seed, and let their systems answer.
    for number in range(chosen.training_seeds):
        training_seed = chosen.seed + number
        for kind in plan.adapters():
            plan.train(kind, training_seed, progress)
        for name in plan.trained():
            plan.answer(name, training_seed, progress)
    plan.probe(progress)

    # 5) What more cases would bring, from what fewer bring.
    if chosen.learning_curve and "tuned" in chosen.arms:
        plan.follow_curve(progress)


def _indexed(
    run: RunFolder, sources: Sources, embedder: str, progress: Progress
) -> Path:
    """The knowledge base of the documents, in the run folder.

    Raises:
        DataError: A document cannot be read, and arms would be asked about it.
    """
    began = time.perf_counter()
    kb = run.path / "kb"
    indexed = ingest(
        sources.docs,
        kb=kb,
        model=embedder,
        progress=progress,
        exclude=sources.case_files,
    )
    if indexed.failed:
        name, reason = indexed.failed[0]
        raise DataError(
            f"{len(indexed.failed)} document(s) cannot be read; {name}: {reason}",
            fix="mend them, or take them out of --docs",
        )
    if indexed.added:
        seconds = round(time.perf_counter() - began, 1)
        run.add_resources("retrieval", index_seconds=seconds)
    return kb
