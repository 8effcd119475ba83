"""The job `optimize`: the retrieval settings that do best, chosen on dev queries.

Nested: settings are chosen on dev queries, and test queries are searched once, with
what was chosen and with what it is compared with. The default and each single
retriever are always among the candidates, so the choice is never below them on dev.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import ConfigError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.recipes.evaluate import difference_of, figure_of
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.optimization.front import draw_front
from groundtune.recipes.optimization.learning import AdapterTrial, Lessons
from groundtune.recipes.optimization.measured import (
    Measured,
    RememberingEmbedder,
    measure_search,
)
from groundtune.recipes.optimization.queries import (
    Sides,
    from_beir,
    from_cases,
    sample,
)
from groundtune.recipes.optimization.study import Space, best_of, run_study
from groundtune.recipes.optimization.switching import build_beside, put_into_service
from groundtune.retrieve.settings import read_settings, write_settings
from groundtune.store.files import write_atomic, write_json
from groundtune.store.folders import remove_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.recipes.optimization.judge import Judge, Query
    from groundtune.retrieve.index import KnowledgeBase

FOLDER = "optimize"
"""Folder inside a knowledge base: the study, the picture and the report."""

_K = (1, 2, 3, 4, 5, 6, 8, 10)
_MMR = (None, 0.5, 0.7, 0.9)
_EXPAND = ("none", "parts", "feedback")
_CENTRE = (0, 1, 2)
_WIDEN = ("none", "neighbours", "section")
_SHOWN_SLACK = 1.1
"""How much more than now a question may be shown: equal splits differ by so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeReport:
    """What `optimize --json` prints."""

    measure: str
    settings: dict[str, Any]
    """As they now stand in retrieval.json."""
    size: int
    """Target size of the passages, in tokens."""
    dev: dict[str, dict[str, float | int]]
    """Figure of `chosen`, `default`, `bm25` and `dense` on dev queries."""
    test: dict[str, dict[str, float | int]]
    """The same on test queries, searched once."""
    best_single: str
    """The single retriever that is best on dev."""
    gain: dict[str, dict[str, Any]]
    """`dev` and `test`: chosen minus the best single retriever, paired."""
    over_default: dict[str, dict[str, Any]]
    """`dev` and `test`: chosen minus the default, paired."""
    query_adapter: dict[str, Any]
    """`gain`: of a query adapter on dev, each query with one that was learned without
    it; `queries` that one is learned from, and whether it was `taken`."""
    tried: int
    kb: str
    picture: str

    def to_json(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        return asdict(self)


def optimize(
    *,
    kb: Path,
    cases: Path | None = None,
    beir: Path | None = None,
    embedder: str | Embedder = DEFAULT_EMBEDDER,
    sizes: Sequence[int] = (),
    rerank: str = "",
    trials: int = 60,
    limit: int = 300,
    seed: int = 0,
    progress: Progress = silent,
) -> OptimizeReport:
    """Choose the fusion weight, `k`, widening, diversification and reranking.

    No setting may show a question more text than the present ones do, or the largest
    would win. A reranker is taken only if dev queries show that it pays. What is
    chosen is written to retrieval.json; interrupted, the search goes on when it is
    called again.

    Args:
        kb: The knowledge base; made of the collection where `beir` is given.
        cases: Labelled cases whose sources are in the base, split by document; or
        beir: a BEIR folder: dev queries are those of dev.tsv, else of train.tsv, else
            half of those of test.tsv.
        embedder: The embedding model that made the base.
        sizes: Other sizes of passages to try, in tokens; each builds a base beside.
        rerank: Cross-encoder to try: a model folder or name.
        trials: Settings to try; a smaller space is tried whole.
        limit: Most dev queries to search with.
        seed: Of the sampler, the sample of queries and the bootstrap.
        progress: Told of each step.

    Raises:
        ConfigError: Not one of `cases` and `beir` is given.
        DataError: There are too few queries whose evidence is in the base.
        StoreError: The base cannot be used.
    """
    if (cases is None) == (beir is None):
        raise ConfigError(
            "one source of labelled queries is needed",
            fix="give --cases or --beir",
            where="optimize",
        )
    if beir is not None:
        found = from_beir(beir, kb, embedder=embedder, seed=seed, progress=progress)
    else:
        assert cases is not None, "one of the two is given"
        found = from_cases(cases, kb, embedder=embedder, seed=seed, progress=progress)
    base, sides = found.base, found.sides
    lessons = Lessons(queries=sides.dev, right=found.right)
    sides = Sides(sample(sides.dev, limit=limit, seed=seed), sides.test)
    search = _Search(
        base=base,
        embedder=RememberingEmbedder(found.embedder),
        judge=found.judge,
        # An adapter is learned anew: the one in service has seen these queries.
        start=replace(read_settings(kb), query_adapter=""),
        lessons=lessons,
        sizes=(
            base.stamp.splitter.target,
            *(size for size in sizes if size != base.stamp.splitter.target),
        ),
        rerank=rerank,
        ranks_documents=beir is not None,
        progress=progress,
    )
    return search.run(sides, trials=trials, seed=seed)


class _Search:
    """What one search for settings is made of."""

    def __init__(
        self,
        *,
        base: KnowledgeBase,
        embedder: RememberingEmbedder,
        judge: Judge,
        start: RetrievalSettings,
        lessons: Lessons,
        sizes: tuple[int, ...],
        rerank: str,
        ranks_documents: bool,
        progress: Progress,
    ) -> None:
        self.base, self.embedder, self.judge = base, embedder, judge
        self.start, self.sizes, self.rerank = start, sizes, rerank
        self.lessons = lessons
        self.ranks_documents, self.progress = ranks_documents, progress
        self.bases = {sizes[0]: base}

    def run(self, sides: Sides, *, trials: int, seed: int) -> OptimizeReport:
        dev, folder = sides.dev, self.base.path / FOLDER
        self.progress("measuring what stands now", 0, None)
        named = {
            name: self._measure(settings, self.sizes[0], dev)
            for name, settings in self._baselines().items()
        }
        most_shown = math.inf
        if not self.ranks_documents:
            most_shown = _SHOWN_SLACK * max(one.shown for one in named.values())
        measured = run_study(
            self._space(),
            lambda settings, size: self._measure(settings, size, dev),
            journal=folder / "journal.log",
            name=self._name(dev, seed),
            trials=trials,
            most_shown=most_shown,
            seed=seed,
            progress=self.progress,
        )
        # The default first: whatever else is chosen has to be better.
        pool = [*named.values(), *measured]
        rng = np.random.default_rng(seed)
        chosen = self._paying(pool, most_shown, dev, rng)
        singles = ("bm25", "dense")
        best_single = max(singles, key=lambda name: named[name].quality)
        now = named["default"]
        if now.quality >= named[best_single].quality:
            # On a few hundred queries the best of many is best by chance: what stands
            # now is left only for a gain that is shown.
            over = _difference(chosen, now, dev, rng)
            chosen = chosen if over["difference"]["low"] > 0 else now
        chosen, adapter = self._adapted(chosen, dev, rng)
        self.progress("searching test queries once", 0, None)
        held = {
            name: self._measure(one.settings, one.size, sides.test)
            for name, one in {"chosen": chosen, **named}.items()
        }
        shown = {"chosen": chosen, **named}
        picture = folder / "front.svg"
        report = OptimizeReport(
            measure=self.judge.measure(chosen.settings.k),
            settings=asdict(chosen.settings),
            size=chosen.size,
            dev=_figures(shown, dev, rng),
            test=_figures(held, sides.test, rng),
            best_single=best_single,
            gain={
                "dev": _difference(chosen, named[best_single], dev, rng),
                "test": _difference(held["chosen"], held[best_single], sides.test, rng),
            },
            over_default={
                "dev": _difference(chosen, named["default"], dev, rng),
                "test": _difference(held["chosen"], held["default"], sides.test, rng),
            },
            query_adapter=adapter,
            tried=len(measured),
            kb=str(self.base.path),
            picture=str(picture),
        )
        drawn = draw_front(
            measured,
            named=named,
            chosen=chosen,
            embed_ms=self.embedder.milliseconds([query.text for query in dev]),
            measure=report.measure,
        )
        write_atomic(picture, drawn)
        write_json(folder / "report.json", report.to_json())
        self._put_into_service(chosen, report)
        return report

    def _baselines(self) -> dict[str, RetrievalSettings]:
        """What stands now, and each single retriever without any addition."""
        alone = RetrievalSettings(
            k=self.start.k,
            alpha=self.start.alpha,
            candidates=self.start.candidates,
        )
        return {
            "default": self.start,
            "bm25": replace(alone, mode="bm25"),
            "dense": replace(alone, mode="dense"),
        }

    def _space(self) -> Space:
        rerankers = tuple(dict.fromkeys(("", self.start.rerank, self.rerank)))
        if self.ranks_documents:
            # Documents are ranked to a fixed depth: what is shown of them is not.
            return Space(
                start=self.start,
                size=self.sizes,
                mmr=_MMR,
                expand=_EXPAND,
                rerank=rerankers,
            )
        return Space(
            start=self.start,
            size=self.sizes,
            k=_K,
            widen=_WIDEN,
            mmr=_MMR,
            expand=_EXPAND,
            dedupe=(False, True),
            centre=_CENTRE,
            rerank=rerankers,
        )

    def _name(self, dev: Sequence[Query], seed: int) -> str:
        """Name of the study: a change in anything that it depends on starts afresh."""
        return fingerprint(
            {
                "base": [[s.id, s.content] for s in self.base.documents()],
                "stamp": asdict(self.base.stamp),
                "start": asdict(self.start),
                "queries": [list(query) for query in dev],
                "choices": self._space().choices(),
                "seed": seed,
            }
        )

    def _measure(
        self, settings: RetrievalSettings, size: int, queries: Sequence[Query]
    ) -> Measured:
        return measure_search(
            self._base(size),
            self.embedder,
            settings,
            queries=queries,
            judge=self.judge,
        )

    def _base(self, size: int) -> KnowledgeBase:
        """The base with passages of this size; built beside the other where needed."""
        if size in self.bases:
            return self.bases[size]
        now = self.base.stamp.splitter
        splitter = replace(
            now,
            target=size,
            maximum=max(now.maximum, size),
            minimum=min(now.minimum, size),
        )
        self.bases[size] = build_beside(
            self.base,
            self._place(size),
            embedder=self.embedder,
            splitter=splitter,
            progress=self.progress,
        )
        return self.bases[size]

    def _place(self, size: int) -> Path:
        return self.base.path.with_name(f".{self.base.path.name}.size-{size}")

    def _paying(
        self,
        pool: Sequence[Measured],
        most_shown: float,
        dev: Sequence[Query],
        rng: np.random.Generator,
    ) -> Measured:
        """The best of all, or the best without a reranker where that does not pay."""
        best = best_of(pool, most_shown=most_shown)
        if not best.settings.rerank:
            return best
        plain = [one for one in pool if not one.settings.rerank]
        other = best_of(plain, most_shown=most_shown)
        gain = _difference(best, other, dev, rng)
        return best if gain["difference"]["low"] > 0 else other

    def _adapted(
        self, chosen: Measured, dev: Sequence[Query], rng: np.random.Generator
    ) -> tuple[Measured, dict[str, Any]]:
        """What was chosen, with a query adapter if dev shows that it pays."""
        if chosen.settings.mode == "bm25":
            return chosen, {"gain": None, "queries": 0, "taken": False}
        base = self._base(chosen.size)
        trial = AdapterTrial(base, self.embedder, self.lessons)
        adapted = trial.measure(chosen, dev, judge=self.judge, progress=self.progress)
        gain = _difference(adapted, chosen, dev, rng)
        is_taken = gain["difference"]["low"] > 0
        if is_taken:
            name = trial.learn().save(base.path, embedder=self.embedder.name)
            settings = replace(chosen.settings, query_adapter=name)
            chosen = replace(adapted, settings=settings)
        return chosen, {"gain": gain, "queries": trial.count, "taken": is_taken}

    def _put_into_service(self, chosen: Measured, report: OptimizeReport) -> None:
        kb = self.base.path
        why = report.to_json()
        del why["settings"]
        if chosen.size != self.sizes[0]:
            made = self._base(chosen.size)
            write_settings(made.path, chosen.settings, why=why)
            put_into_service(self.base, made, progress=self.progress)
        else:
            write_settings(kb, chosen.settings, why=why)
        for size in self.sizes[1:]:
            remove_folder(self._place(size))


def _figures(
    shown: dict[str, Measured], queries: Sequence[Query], rng: np.random.Generator
) -> dict[str, dict[str, float | int]]:
    groups = [query.group for query in queries]
    return {
        name: figure_of(one.gains, groups, rng=rng).to_json()
        for name, one in shown.items()
    }


def _difference(
    a: Measured, b: Measured, queries: Sequence[Query], rng: np.random.Generator
) -> dict[str, Any]:
    return difference_of(a.gains, b.gains, [query.group for query in queries], rng=rng)
