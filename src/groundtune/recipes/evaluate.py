"""The job `evaluate`: how well a system does on labelled data, with intervals.

For retrieval: a BEIR collection is put into a knowledge base, every judged query is
searched by each retriever, and documents are ranked by their best passage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.data.beir import read_beir
from groundtune.measure.ranking import document_ranking, ndcg, recall, reciprocal_rank
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import compare_paired, mean_interval
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model
from groundtune.recipes.optimization.switching import embedder_of
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.settings import read_settings
from groundtune.store.download import default_cache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.data.beir import BeirFolder

MEASURES = {
    "ndcg@10": (ndcg, 10),
    "recall@100": (recall, 100),
    "mrr@10": (reciprocal_rank, 10),
}
PRIMARY = "ndcg@10"

WHOLE = SplitterSettings(target=1_000_000, maximum=1_000_000, minimum=0)
"""One passage for each document; an embedder sees its first tokens only."""

_DEPTH = 100
"""Documents that are ranked, for recall@100."""
_MOST_PASSAGES = 1000
_BATCH = 50

Scores = dict[str, list[float]]
"""Measure → one value a query, in the order of the queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalReport:
    """What `evaluate retrieval --json` prints."""

    retrievers: dict[str, dict[str, Figure]]
    """Retriever → measure → figure over the queries."""
    differences: dict[str, dict[str, Any]]
    """Such as `hybrid-dense`: paired difference of the first measure, and its p."""
    split: str
    documents: int
    passages: int
    kb: str
    """Folder of the knowledge base, for the next time."""

    def to_json(self) -> dict[str, Any]:
        """The report with figures as `--json` prints them."""
        return {
            "task": "retrieval",
            "split": self.split,
            "documents": self.documents,
            "passages": self.passages,
            "kb": self.kb,
            "retrievers": {
                name: {measure: figure.to_json() for measure, figure in found.items()}
                for name, found in self.retrievers.items()
            },
            "differences": self.differences,
        }


def evaluate(
    task: str,
    *,
    beir: Path,
    split: str = "test",
    kb: Path | None = None,
    model: str | Embedder = DEFAULT_EMBEDDER,
    settings: RetrievalSettings | None = None,
    splitter: SplitterSettings | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> RetrievalReport:
    """Measure BM25, dense and hybrid retrieval on a BEIR collection.

    Where a reranker is set, it is measured as a fourth. The equal of a search by
    `search` or `ask` is `hybrid`, or `reranked` where there is one.

    Args:
        task: `retrieval`.
        beir: Folder with corpus.jsonl, queries.jsonl and qrels/.
        split: Whose queries: the name of a file in qrels/.
        kb: Knowledge base of the collection; made where there is none, brought up to
            date where there is one. None: one in the user's cache.
        model: Embedding model by name or folder, or one that is open.
        settings: How to search; None: as the knowledge base says.
        splitter: How documents are cut where the base has to be made; None: defaults.
        seed: Of the bootstrap.
        progress: Told of each step.

    Raises:
        ConfigError: There is no such task.
        DataError: The folder is not in BEIR form, or the base holds other documents.
        StoreError: The knowledge base cannot be used.
    """
    if task != "retrieval":
        raise ConfigError(
            f"task {task!r} cannot be evaluated by itself yet",
            fix="use retrieval, or measure systems with `groundtune compare`",
            where="task",
        )
    collection = read_beir(beir)
    judged = collection.judged(split)
    base, embedder = open_collection(
        collection, kb=kb, model=model, splitter=splitter, progress=progress
    )
    chosen = settings or read_settings(base.path)
    names = sorted(judged)
    scores: dict[str, Scores] = {}
    for name, how in retrievers_of(chosen).items():
        runs = rank_documents(
            base,
            embedder,
            how,
            queries={key: collection.queries[key] for key in names},
            label=f"searching: {name}",
            progress=progress,
        )
        scores[name] = {
            measure: [compute(runs[key], judged[key], k=k) for key in names]
            for measure, (compute, k) in MEASURES.items()
        }
    rng = np.random.default_rng(seed)
    return RetrievalReport(
        retrievers={
            name: {
                measure: figure_of(values, names, rng=rng)
                for measure, values in found.items()
            }
            for name, found in scores.items()
        },
        differences=differences_of(
            {name: found[PRIMARY] for name, found in scores.items()}, names, rng=rng
        ),
        split=split,
        documents=len(base.documents()),
        passages=base.count,
        kb=str(base.path),
    )


def open_collection(
    collection: BeirFolder,
    *,
    kb: Path | None,
    model: str | Embedder,
    splitter: SplitterSettings | None,
    progress: Progress,
) -> tuple[KnowledgeBase, Embedder]:
    """The knowledge base that holds a collection and nothing else, up to date.

    Raises:
        DataError: The base holds documents that the collection does not.
        StoreError: The base cannot be written, or another embedder made it.
    """
    if kb is not None:
        model = embedder_of(kb, model)
    embedder = open_embedding_model(model, progress=progress)
    kb = kb or _cached(collection, embedder, splitter or SplitterSettings())
    base = KnowledgeBase.create_or_open(kb, embedder=embedder, splitter=splitter)
    documents = list(collection.documents())
    known = {document.id for document in documents}
    if others := [stored.id for stored in base.documents() if stored.id not in known]:
        raise DataError(
            f"the knowledge base holds {len(others)} documents that the collection "
            f"does not, such as {others[0]!r}",
            fix="name another folder with --kb, or leave it out",
            where=str(kb),
        )

    def shown(label: str, done: int, _: int | None) -> None:
        progress(label, done, len(documents) if label == "ingest" else None)

    base.update(documents, delete_missing=True, progress=shown)
    return base, embedder


def _cached(
    collection: BeirFolder, embedder: Embedder, splitter: SplitterSettings
) -> Path:
    place = collection.path.resolve()
    name = fingerprint([str(place), embedder.name, fingerprint(splitter)])
    return default_cache() / "evaluations" / f"{place.name}-{name.split('-')[1]}"


def retrievers_of(settings: RetrievalSettings) -> dict[str, RetrievalSettings]:
    """What is compared: each list alone, both together, and reranked where set.

    Widening shows more of a document and changes no ranking, so it is left out.
    """
    plain = replace(settings, widen="none", rerank="")
    found = {
        "bm25": replace(plain, mode="bm25", mmr=None),
        "dense": replace(plain, mode="dense", mmr=None),
        "hybrid": replace(plain, mode="hybrid"),
    }
    if settings.rerank:
        found["reranked"] = replace(settings, widen="none")
    return found


def rank_documents(
    base: KnowledgeBase,
    embedder: Embedder,
    settings: RetrievalSettings,
    *,
    queries: Mapping[str, str],
    label: str = "searching",
    progress: Progress = silent,
) -> dict[str, list[str]]:
    """Search for each query and rank documents by their best passage, 100 at least.

    Returns:
        Document ids by query id, best first; fewer where the base has fewer.
    """
    retriever = HybridRetriever(base, embedder, settings)
    documents = max(1, len(base.documents()))
    wanted, most = min(_DEPTH, documents), min(base.count, _MOST_PASSAGES)
    depth = max(1, min(_DEPTH * -(-base.count // documents), most))
    left, found = list(queries), dict[str, list[str]]()
    while left:
        short: list[str] = []
        for start in range(0, len(left), _BATCH):
            batch = left[start : start + _BATCH]
            hits = retriever.search_many([queries[name] for name in batch], k=depth)
            for name, of_query in zip(batch, hits, strict=True):
                scored = ((hit.passage.document, hit.score) for hit in of_query)
                found[name] = document_ranking(scored)
                # Documents with many passages may have left room for too few.
                if len(of_query) == depth < most and len(found[name]) < wanted:
                    short.append(name)
            progress(label, len(found) - len(short), len(queries))
        left, depth = short, min(2 * depth, most)
    return found


def figure_of(
    values: Sequence[float], groups: Sequence[str], *, rng: np.random.Generator
) -> Figure:
    """A mean with its interval over groups."""
    interval = mean_interval(values, groups, rng=rng)
    return Figure(
        value=interval.value, low=interval.low, high=interval.high, n=len(values)
    )


def difference_of(
    a: Sequence[float],
    b: Sequence[float],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """A paired difference as `--json` prints it, with its p-value."""
    found = compare_paired(a, b, groups, rng=rng)
    figure = Figure(value=found.difference, low=found.low, high=found.high, n=found.n)
    return {"difference": figure.to_json(), "p": found.p}


def differences_of(
    values: Mapping[str, Sequence[float]],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
) -> dict[str, dict[str, Any]]:
    """Hybrid minus each single retriever, and reranked minus hybrid."""
    pairs = [("hybrid", "bm25"), ("hybrid", "dense"), ("reranked", "hybrid")]
    return {
        f"{a}-{b}": difference_of(values[a], values[b], groups, rng=rng)
        for a, b in pairs
        if a in values and b in values
    }
