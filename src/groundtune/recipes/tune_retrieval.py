"""The job `tune retrieval`: an embedder tuned on the questions of a knowledge base.

The base in service goes on answering while the embedder is trained and a new base is
built beside it. The two are compared on questions that were held out, and only where
the new one is better does it take the old one's place.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.config.embedding import EmbedderSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.recipes.child import run_in_child
from groundtune.recipes.evaluate import difference_of, figure_of
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model
from groundtune.recipes.optimization.examples import (
    Material,
    from_beir,
    from_cases,
    from_documents,
    training_pairs,
)
from groundtune.recipes.optimization.measured import choose_alpha
from groundtune.recipes.optimization.switching import (
    EMBEDDER,
    build_beside,
    embedder_of,
    put_into_service,
)
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.settings import read_settings, write_settings
from groundtune.store.folders import remove_folder
from groundtune.store.models import open_model
from groundtune.tune.embedder import train_embedder

if TYPE_CHECKING:
    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.recipes.child import Channel
    from groundtune.tune.pairs import Pair, Pool

TOKENS_A_SECOND = 3000
"""About how many tokens a second are trained on two cores, for a budget of time."""
_TOKENS_A_PAIR = 450
"""About: a question, its passage and a hard negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderReport:
    """What `tune retrieval --json` prints."""

    model: str
    """Folder of the tuned embedder; empty where the base keeps the one it had."""
    base: str
    """Embedder that the training began from."""
    measure: str
    questions: str
    """What was trained on: `beir`, `cases` or `made from the documents`."""
    pairs: int
    before: dict[str, float | int]
    """Figure of the base in service, on held-out questions."""
    test: dict[str, float | int]
    """Figure of the new base, on the same questions and with the same settings."""
    gain: dict[str, Any]
    """Paired difference of the two, and its p-value."""
    dense: dict[str, Any]
    """`before`, `test` and `gain` of vectors alone."""
    switched: bool
    settings: dict[str, Any]
    """Retrieval settings that are in force now."""
    previous: str
    """Folder of the base that was in service before; empty where it still is."""
    seconds: float
    """Of training alone."""
    task: str = "retrieval"
    dev: None = None

    def to_json(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        first = ("model", "task", "base", "dev", "test", "seconds")
        fields = asdict(self)
        return {name: fields[name] for name in first} | fields


def tune_embedder(
    *,
    kb: Path,
    cases: Path | None = None,
    beir: Path | None = None,
    base: str = DEFAULT_EMBEDDER,
    settings: EmbedderSettings | None = None,
    budget_seconds: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> EmbedderReport:
    """Tune the embedder of a knowledge base, and switch to it if that is a gain.

    Args:
        kb: The knowledge base.
        cases: Labelled cases whose sources are in the base, split by document; or
        beir: a BEIR folder with train.tsv, whose documents the base holds (it is made
            where there is none). Neither: questions are made from the documents.
        base: Embedder to start from: the one that made the base.
        settings: How to train.
        budget_seconds: About how long training may take.
        seed: Of splits, orders and the bootstrap.
        progress: Told of each step.

    Raises:
        ConfigError: Both `cases` and `beir` are given.
        DataError: There are too few questions.
        MissingExtraError: The extra `tune` is not installed.
        StoreError: The base cannot be read, or the new one not be written.
    """
    if cases is not None and beir is not None:
        raise ConfigError(
            "questions are given twice", fix="give --cases or --beir", where="tune"
        )
    chosen = within_budget(settings or EmbedderSettings(), budget_seconds)
    # 1) The base in service, and questions on it.
    spec = embedder_of(kb, base)
    if beir is not None:
        old, embedder, material = from_beir(
            beir, kb, model=spec, seed=seed, progress=progress
        )
    else:
        # The cheap check first: a wrong path should not wait for a model.
        KnowledgeBase.open(kb)
        embedder = open_embedding_model(spec, progress=progress)
        old = KnowledgeBase.open(kb, embedder=embedder)
        if cases is not None:
            material = from_cases(old, cases, seed=seed)
        else:
            material = from_documents(old, seed=seed)
    # 2) Wrong passages that look right, found by the base itself.
    progress("mining hard negatives", 0, None)
    pairs, pools = training_pairs(old, embedder, material)
    if len(pairs) < chosen.batch_pairs:
        raise DataError(
            f"{len(pairs)} questions with a right passage to train on",
            fix=f"label {chosen.batch_pairs} more, or leave --cases out and let "
            "questions be made from the documents",
            where=str(cases or beir or kb),
        )
    # 3) Train, in a process of its own.
    made = kb.with_name(f".{kb.name}.tuned")
    model = kb.with_name(f".{kb.name}.{EMBEDDER}")
    job = _TrainJob(
        base=spec,
        pairs=tuple(pairs),
        pools=tuple(pools),
        settings=chosen,
        out=str(model),
        seed=seed,
    )
    record: dict[str, Any] = run_in_child(_train, job, progress=progress).result
    # 4) The new base beside the old one, and both on the questions held out.
    tuned = open_embedding_model(str(model))
    new = build_beside(
        old, made, embedder=tuned, splitter=old.stamp.splitter, progress=progress
    )
    progress("comparing on held-out questions", 0, None)
    # A query adapter fits the vectors of the old embedder only; what it was learned
    # from may be among these questions, so it is off for both.
    how = replace(read_settings(kb), query_adapter="")
    before, after, gain = _compare(
        material, (old, embedder), (new, tuned), how, seed=seed
    )
    only_dense = material.dense_settings(how)
    dense_before, dense_after, dense_gain = _compare(
        material, (old, embedder), (new, tuned), only_dense, seed=seed
    )
    # 5) Only a gain is switched to.
    switched = bool(gain["difference"]["low"] > 0)
    previous = ""
    if switched:
        why = {"tuned": record, "gain": gain}
        how = _taken_over(material, new, tuned, how=how, why=why)
        remove_folder(made / EMBEDDER)
        model.rename(made / EMBEDDER)
        previous = str(put_into_service(old, new, progress=progress))
    else:
        remove_folder(made)
        remove_folder(model)
    return EmbedderReport(
        model=str(kb / EMBEDDER) if switched else "",
        base=str(record["base"]),
        measure=material.measure(how),
        questions=material.kind,
        pairs=len(pairs),
        before=before,
        test=after,
        gain=gain,
        dense={"before": dense_before, "test": dense_after, "gain": dense_gain},
        switched=switched,
        settings=asdict(how),
        previous=previous,
        seconds=float(record["training"]["seconds"]),
    )


def within_budget(
    settings: EmbedderSettings, seconds: float | None
) -> EmbedderSettings:
    """The settings, with as many pairs as can be trained on in that time."""
    if seconds is None:
        return settings
    pairs = int(seconds * TOKENS_A_SECOND / _TOKENS_A_PAIR)
    return replace(settings, max_pairs=max(2, min(settings.max_pairs, pairs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrainJob:
    """What to train on what. Paths as text: it crosses to another process."""

    base: str
    pairs: tuple[Pair, ...]
    pools: tuple[Pool, ...]
    settings: EmbedderSettings
    out: str
    seed: int


def _train(job: _TrainJob, channel: Channel) -> dict[str, Any]:
    return train_embedder(
        open_model(job.base, kind="embedder", offline=True),
        job.pairs,
        pools=job.pools,
        settings=job.settings,
        out=Path(job.out),
        seed=job.seed,
        progress=channel.progress,
    )


def _compare(
    material: Material,
    old: tuple[KnowledgeBase, Embedder],
    new: tuple[KnowledgeBase, Embedder],
    settings: RetrievalSettings,
    *,
    seed: int,
) -> tuple[dict[str, float | int], dict[str, float | int], dict[str, Any]]:
    """Figures of both bases on held-out questions, and their paired difference."""
    gains = [material.gains(base, model, settings) for base, model in (old, new)]
    rng = np.random.default_rng(seed)
    groups = [query.group for query in material.held]
    before, after = (figure_of(one, groups, rng=rng).to_json() for one in gains)
    return before, after, difference_of(gains[1], gains[0], groups, rng=rng)


def _taken_over(
    material: Material,
    new: KnowledgeBase,
    tuned: Embedder,
    *,
    how: RetrievalSettings,
    why: dict[str, Any],
) -> RetrievalSettings:
    """Write the settings of the new base: other vectors deserve another weight."""
    weights: dict[str, float] = {}
    if material.judge is not None:
        how, weights = choose_alpha(
            new, tuned, how, queries=material.held, judge=material.judge
        )
    write_settings(new.path, how, why={**why, "weights": weights})
    return how
