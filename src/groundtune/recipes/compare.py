"""`compare`: four arms on the same cases, from documents and labels to a verdict.

Read top to bottom. Every step leaves its result in the run folder and is passed over
when it stands there, so an interrupted run goes on where it stopped and ends in the
same rows. What each step does is in `comparison/`.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

from groundtune.augment.prompt import INSTRUCTION
from groundtune.config.compare import CompareSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.adapters import AdapterJob, train_adapter
from groundtune.recipes.comparison.answering import write_copied_rows, write_rows
from groundtune.recipes.comparison.knowledge import (
    KnowledgeJob,
    gather_evidence,
    read_evidence,
)
from groundtune.recipes.comparison.prepare import (
    Prepared,
    Sources,
    describe,
    dev_sample,
    prepare,
    write_split,
)
from groundtune.recipes.comparison.styles import (
    StyleJob,
    candidate_styles,
    try_styles,
)
from groundtune.recipes.ingest import ingest
from groundtune.recipes.report import report, write_html
from groundtune.store.files import read_json, write_json, write_lock
from groundtune.store.models import open_model
from groundtune.store.run import RunFolder
from groundtune.systems.build import SystemSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.config.training import TrainSettings
    from groundtune.core.protocols import Progress
    from groundtune.measure.summary import Summary

AdapterKind = Literal["closed-book", "context"]


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
        model: Generator: catalog name, folder or hub id.
        embedder: For `docs`: catalog name, folder or hub id.
        limit: Most test cases.
        arms: Arms to measure, all four if not given.
        seed: Of every draw.
        seeds: Trainings of each adapter.
        budget_seconds: About how long all training together may take.
        settings: Everything else; the named arguments above take precedence.
        progress: Told how far each step is.

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
    generator = open_model(model, kind="generator", progress=progress)
    embedding = open_model(embedder, kind="embedder", progress=progress)
    prepared = prepare(sources, chosen)
    made_of = describe(
        prepared, sources, chosen, generator=generator, embedder=embedding
    )
    with write_lock(out.with_name(f".{out.name}.lock")):
        run = RunFolder.create_or_resume(out, made_of)
        write_split(prepared.splits, out / "cases")

        # 2) Index the documents and search for every case, once for all arms.
        kb_path = kb or out / "kb"
        if kb is None:
            indexed = ingest(docs, kb=kb_path, model=embedder, progress=progress)
            _refuse_unread(indexed.failed)
        evidence = _evidence(run, kb_path, embedder, chosen, progress=progress)

        # 3) Base first: what the published weights do, told in the way they like best.
        plan = _Plan(run, chosen, prepared, evidence, kb_path, model, embedder)
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
            fix="mend them or take them out of --docs: arms must see the same documents",
        )


def _evidence(
    run: RunFolder,
    kb: Path,
    embedder: str,
    settings: CompareSettings,
    *,
    progress: Progress,
) -> dict[str, Any]:
    path = run.path / "evidence.json"
    if not path.exists():
        job = KnowledgeJob(
            kb=str(kb),
            embedder=embedder,
            cases=str(run.path / "cases"),
            out=str(path),
            retrieval=settings.retrieval,
            seed=settings.seed,
        )
        done = run_in_child(gather_evidence, job, progress=progress)
        run.add_resources("retrieval", peak_memory_mb=done.peak_memory_mb)
    return read_json(path)


class _Plan:
    """The systems of a run: what each is made of, and the steps that make it."""

    def __init__(
        self,
        run: RunFolder,
        settings: CompareSettings,
        prepared: Prepared,
        evidence: Mapping[str, Any],
        kb: Path,
        model: str,
        embedder: str,
    ) -> None:
        self._run, self._settings, self._prepared = run, settings, prepared
        self._found = evidence["cases"]
        self._nearest = evidence["nearest"]
        self._kb, self._model, self._embedder = kb, model, embedder
        self._styles: dict[str, Any] = {}

    def untrained(self) -> list[str]:
        """Systems of published weights, and those of none, in the order of rows."""
        return [name for name in ("plain", "rag") if name in self._settings.arms] + [
            name
            for name in ("right_passage_base", "random_passages", "nearest_answer")
            if name in self._settings.diagnostics
        ]

    def trained(self) -> list[str]:
        """Systems of tuned weights, in the order of rows."""
        return [name for name in ("tuned", "both") if name in self._settings.arms] + [
            name
            for name in (
                "naive_both",
                "right_passage_tuned",
                "context_without_documents",
            )
            if name in self._settings.diagnostics
        ]

    def adapters(self) -> list[AdapterKind]:
        """Adapters that those need."""
        wanted: list[AdapterKind] = []
        if self._settings.needs_closed_book:
            wanted.append("closed-book")
        if self._settings.needs_context:
            wanted.append("context")
        return wanted

    def choose_styles(self, progress: Progress) -> None:
        """Try the candidate prompts of plain and rag on dev cases; keep the best."""
        path = self._run.path / "styles.json"
        if not path.exists():
            splits, settings = self._prepared.splits, self._settings
            styles = candidate_styles(splits.train, self._found)
            cases = dev_sample(splits.dev, settings.style_cases, seed=settings.seed)
            chosen: dict[str, Any] = {}
            for arm in ("plain", "rag"):
                job = StyleJob(
                    spec=self._spec(arm, settings.seed, style=asdict(INSTRUCTION)),
                    styles=styles,
                    cases=cases,
                )
                means = run_in_child(try_styles, job, progress=progress).result
                best = max(styles, key=lambda style: means[style.name])
                chosen[arm] = {
                    "style": asdict(best),
                    "dev_scores": means,
                    "dev_cases": len(cases),
                }
            write_json(path, chosen)
        self._styles = read_json(path)

    def train(self, kind: AdapterKind, seed: int, progress: Progress) -> None:
        """Train one adapter, unless its model folder stands."""
        out = self._folder(kind, seed)
        if (out / "groundtune.json").exists():
            return
        splits, settings = self._prepared.splits, self._settings
        dev = dev_sample(splits.dev, settings.dev_cases, seed=settings.seed)
        is_context = kind == "context"
        job = AdapterJob(
            kind=kind,
            base=self._model,
            out=str(out),
            train=splits.train,
            dev=dev,
            settings=settings.context if is_context else settings.closed_book,
            reading=settings.reading,
            evidence={
                case.id: read_evidence(self._found[case.id])
                for case in (*splits.train, *dev)
            }
            if is_context
            else {},
            seed=seed,
        )
        done = run_in_child(train_adapter, job, progress=progress)
        self._run.add_resources(
            f"{out.name} training",
            peak_memory_mb=done.peak_memory_mb,
            train_seconds=done.result["train_seconds"],
            train_tokens=done.result["training"]["tokens"],
        )

    def answer(self, name: str, seed: int, progress: Progress) -> None:
        """Bring the rows of one system to completion."""
        cases = self._prepared.splits.test
        if name == "nearest_answer":
            write_copied_rows(self._run, name, cases, answers=self._nearest, seed=seed)
            return
        if name.startswith("right_passage"):
            # Where the right passage is not known there is nothing to give.
            cases = tuple(c for c in cases if self._found[c.id]["gold"])
        if not cases:
            return
        gold = {case.id: self._found[case.id]["gold"] for case in cases}
        spec = self._spec(name, seed)
        write_json(self._run.path / "systems" / f"{name}.json", asdict(spec))
        write_rows(self._run, spec, cases, gold=gold, seed=seed, progress=progress)

    def _spec(
        self, name: str, seed: int, *, style: dict[str, Any] | None = None
    ) -> SystemSpec:
        """What the system of this name is made of."""
        reads = name in {"rag", "both", "naive_both"}
        given = {
            "right_passage_base": "gold",
            "right_passage_tuned": "gold",
            "random_passages": "random",
        }.get(name)
        if name in {"tuned", "naive_both"}:
            model = str(self._folder("closed-book", seed))
        elif name in {"both", "right_passage_tuned", "context_without_documents"}:
            model = str(self._folder("context", seed))
        else:
            model = self._model
        if style is None:
            untrained = model == self._model
            chosen = "plain" if name == "plain" else "rag"
            style = self._styles[chosen]["style"] if untrained else asdict(INSTRUCTION)
        return SystemSpec(
            name=name,
            model=model,
            style=style,
            kb=str(self._kb) if reads else "",
            embedder=self._embedder if reads else "",
            retrieval=asdict(self._settings.retrieval) if reads else {},
            given={
                case: found[given][:1] if given == "gold" else found[given]
                for case, found in self._found.items()
                if found[given]
            }
            if given
            else None,
            max_tokens=self._settings.answer_tokens,
        )

    def _folder(self, kind: AdapterKind, seed: int) -> Path:
        suffix = "" if seed == self._settings.seed else f"-seed-{seed}"
        return self._run.path / "models" / f"{kind}{suffix}"
