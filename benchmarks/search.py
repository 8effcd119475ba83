"""Search quality and speed: our fusion against LanceDB's own hybrid search.

Both search the same table with the same vectors and the same BM25 index. Ours joins by
a convex combination, LanceDB by reciprocal rank fusion. Usage:

    python benchmarks/search.py SQUAD_JSON [--questions 300]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundtune.config.retrieval import RetrievalSettings, SearchMode
from groundtune.data.squad import read_squad_cases
from groundtune.recipes.ingest import ingest, open_embedding_model
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.core.protocols import Embedder
    from groundtune.core.values import QaCase

K = 3


def ours(kb: KnowledgeBase, embedder: Embedder, mode: SearchMode) -> Callable[..., Any]:
    retriever = HybridRetriever(kb, embedder, RetrievalSettings(mode=mode))

    def search(query: str) -> list[str]:
        return [hit.passage.text for hit in retriever.search(query, k=K)]

    return search


def lance_hybrid(kb: KnowledgeBase, embedder: Embedder) -> Callable[..., Any]:
    table = kb.snapshot()

    def search(query: str) -> list[str]:
        found = (
            table.search(query_type="hybrid", vector_column_name="vector")
            .vector(embedder.encode([query])[0])
            .text(query)
            .limit(K)
            .to_list()
        )
        return [row["text"] for row in found]

    return search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("squad", type=Path)
    parser.add_argument("--questions", type=int, default=300)
    chosen = parser.parse_args()

    embedder = open_embedding_model("all-minilm-l6-v2")
    every = read_squad_cases(chosen.squad)
    cases = every[:: max(1, len(every) // chosen.questions)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kb"
        start = time.perf_counter()
        report = ingest([chosen.squad], kb=path, model=embedder)
        ingested = time.perf_counter() - start
        kb = KnowledgeBase.open(path, embedder=embedder)
        systems = {
            "hybrid": ours(kb, embedder, "hybrid"),
            "dense": ours(kb, embedder, "dense"),
            "bm25": ours(kb, embedder, "bm25"),
            "lancedb hybrid (rrf)": lance_hybrid(kb, embedder),
        }
        rows = measure(systems, cases)
    peer = rows["lancedb hybrid (rrf)"]["median_ms"]
    for row in rows.values():
        row["times_the_peer"] = round(row["median_ms"] / peer, 2)
    print(
        json.dumps(
            {
                "passages": report.passages,
                "questions": len(cases),
                "ingest_seconds": round(ingested, 1),
                "systems": rows,
            },
            indent=2,
        )
    )


def measure(
    systems: dict[str, Callable[..., Any]], cases: list[QaCase]
) -> dict[str, dict[str, float]]:
    """Answer-in-hit@3 and latency; systems take turns on each question."""
    times: dict[str, list[float]] = {name: [] for name in systems}
    hits = dict.fromkeys(systems, 0)
    for case in cases:
        for name, search in systems.items():
            start = time.perf_counter()
            texts = search(case.question)
            times[name].append(time.perf_counter() - start)
            hits[name] += any(a in text for a in case.answers for text in texts)
    return {
        name: {
            "answer_in_hit@3": round(hits[name] / len(cases), 3),
            "median_ms": round(1000 * statistics.median(times[name]), 2),
            "p95_ms": round(1000 * statistics.quantiles(times[name], n=20)[-1], 2),
        }
        for name in systems
    }


if __name__ == "__main__":
    main()
