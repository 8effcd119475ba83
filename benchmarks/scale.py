"""How build time, size, memory and latency grow: 10,000 to a million passages.

Real texts are repeated with a part of their words exchanged, and their vectors, made by
the default embedder, are moved between each other and by noise. Each size is built and
searched in two processes of its own, whose peak memory is read. Usage:

    python benchmarks/scale.py BEIR_DIR --work DIR [--sizes 10000,100000,1000000]
        [--out docs/scale.md]
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.config.retrieval import RetrievalSettings
from groundtune.config.splitter import SplitterSettings
from groundtune.core.fingerprint import text_sha256
from groundtune.core.values import Passage
from groundtune.recipes.ingest import open_embedding_model
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.schema import PreparedDocument, to_table
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.vector_index import (
    EXACT_LIMIT,
    FIGURES,
    exact_nearest,
    read_vector_index,
)
from groundtune.store.files import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

TEXTS = 3_000
"""Distinct real texts, embedded once."""
WORDS = 100
"""Of a passage."""
EXCHANGED = 0.2
"""Share of a passage's words that come from another text."""
PER_DOCUMENT = 10
BATCH = 20_000
QUERIES = 200
WARM_UP = 20
K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("beir", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--build", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--search", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.build:
        print(json.dumps(build(chosen.beir, chosen.work, chosen.build)))
        return
    if chosen.search:
        print(json.dumps(search(chosen.beir, chosen.work, chosen.search)))
        return
    prepare(chosen.beir, chosen.work)
    rows: list[dict[str, Any]] = []
    for size in map(int, chosen.sizes.split(",")):
        command = [sys.executable, __file__, str(chosen.beir), "--work"]
        command.append(str(chosen.work))
        row: dict[str, Any] = {"passages": size}
        for step in ("--build", "--search"):
            done = subprocess.run(
                [*command, step, str(size)],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            row |= json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(json.dumps(rows[-1], indent=2), flush=True)
    if chosen.out:
        chosen.out.write_text(page(rows), encoding="utf-8")


def prepare(beir: Path, work: Path) -> None:
    """Embed the distinct texts once; every size uses them."""
    if (work / "vectors.npy").exists():
        return
    embedder = open_embedding_model("all-minilm-l6-v2")
    np.save(work / "vectors.npy", embedder.encode(read_texts(beir)))


def read_texts(beir: Path) -> list[str]:
    with (beir / "corpus.jsonl").open(encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream]
    texts = [f"{record['title']}. {record['text']}" for record in records]
    return [" ".join(text.split()[:WORDS]) for text in texts][:TEXTS]


def read_queries(beir: Path) -> list[str]:
    with (beir / "queries.jsonl").open(encoding="utf-8") as stream:
        queries = [json.loads(line)["text"] for line in stream]
    return queries[: QUERIES + WARM_UP]


def batches(
    texts: list[str], vectors_T_D: Floats, size: int
) -> Iterator[tuple[list[PreparedDocument], Floats]]:
    """Documents of perturbed texts, and a vector for each passage."""
    rng = np.random.default_rng(7)
    words = [text.split() for text in texts]
    for start in range(0, size, BATCH):
        count = min(BATCH, size - start)
        one = rng.integers(len(texts), size=count)
        other = rng.integers(len(texts), size=count)
        noise = rng.standard_normal((count, vectors_T_D.shape[1])).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        made = vectors_T_D[one] + 0.5 * vectors_T_D[other] + 0.4 * noise
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        is_exchanged = rng.random((count, WORDS)) < EXCHANGED
        cuts: list[str] = []
        for number in range(count):
            mine, theirs = words[one[number]], words[other[number]]
            cuts.append(
                " ".join(
                    theirs[place % len(theirs)] if exchanged else word
                    for place, (word, exchanged) in enumerate(
                        zip(mine, is_exchanged[number], strict=False)
                    )
                )
            )
        yield list(documents(cuts, first=start)), made


def documents(cuts: list[str], *, first: int) -> Iterator[PreparedDocument]:
    for start in range(0, len(cuts), PER_DOCUMENT):
        name = f"docs/{(first + start) // PER_DOCUMENT:06d}.txt"
        passages: list[Passage] = []
        at = 0
        for number, text in enumerate(cuts[start : start + PER_DOCUMENT]):
            key = f"{first + start + number:08d}"
            passages.append(
                Passage(id=key, document=name, start=at, end=at + len(text), text=text)
            )
            at += len(text) + 2
        hashed = text_sha256(name)
        yield PreparedDocument(
            id=name,
            content=hashed,
            text_hash=hashed,
            source=name,
            blob="",
            metadata=json.dumps({"part": str(start // PER_DOCUMENT % 50)}),
            lang="en",
            passages=tuple(passages),
        )


def build(beir: Path, work: Path, size: int) -> dict[str, Any]:
    """Build a knowledge base of one size; texts and vectors come ready-made."""
    embedder = open_embedding_model("all-minilm-l6-v2")
    vectors_T_D: Floats = np.load(work / "vectors.npy")
    path = work / f"kb-{size}"
    shutil.rmtree(path, ignore_errors=True)
    kb = KnowledgeBase.create_or_open(
        path, embedder=embedder, splitter=SplitterSettings()
    )
    start = time.perf_counter()
    made = 0.0
    with kb.writing():
        for batch, vectors in batches(read_texts(beir), vectors_T_D, size):
            began = time.perf_counter()
            rows = to_table(batch, vectors)
            kb.replace(rows, documents=[document.id for document in batch])
            made += time.perf_counter() - began
        stored = time.perf_counter() - start
        kb.index()
    built = time.perf_counter() - start
    return {
        "store_seconds": round(made, 1),
        "index_seconds": round(built - stored, 1),
        "size_gb": round(folder_bytes(path) / 1e9, 3),
        "build_peak_gb": round(peak_gb(), 2),
    }


def search(beir: Path, work: Path, size: int) -> dict[str, Any]:
    """Time queries one by one, then compare what they find with exact search."""
    path = work / f"kb-{size}"
    embedder = open_embedding_model("all-minilm-l6-v2")
    queries = read_queries(beir)
    start = time.perf_counter()
    kb = KnowledgeBase.open(path, embedder=embedder)
    retriever = HybridRetriever(kb, embedder)
    opened = time.perf_counter() - start
    took: list[float] = []
    for query in queries:
        start = time.perf_counter()
        retriever.search(query, k=K)
        took.append(1000 * (time.perf_counter() - start))
    p50, p95 = np.percentile(took[WARM_UP:], [50, 95])
    figures: dict[str, Any] = {
        "open_seconds": round(opened, 2),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "search_peak_gb": round(peak_gb(), 2),
    }
    known = queries[WARM_UP:]
    found = search_ids(kb, RetrievalSettings(mode="dense"), known)
    right = exact_ids(kb, embedder.encode(known))
    figures["dense_recall@10"] = share(found, right)
    if size > EXACT_LIMIT:
        figures["index"] = asdict(read_vector_index(path))
        hybrid = search_ids(kb, RetrievalSettings(), known)
        every = with_every_partition(kb, known)
        figures["hybrid_recall@10"] = share(hybrid, every)
    return figures


def search_ids(
    kb: KnowledgeBase, settings: RetrievalSettings, queries: list[str]
) -> list[set[str]]:
    embedder = open_embedding_model("all-minilm-l6-v2")
    retriever = HybridRetriever(kb, embedder, settings)
    return [
        {hit.passage.id for hit in retriever.search(query, k=K)} for query in queries
    ]


def exact_ids(kb: KnowledgeBase, queries_Q_D: Floats) -> list[set[str]]:
    table = kb.snapshot()
    found_Q_K = exact_nearest(table, queries_Q_D, k=K)
    wanted = sorted({int(address) for address in found_Q_K.ravel()})
    rows = table.take_row_ids(wanted).select(["id"]).with_row_id().to_arrow()
    names = dict(zip(rows["_rowid"].to_pylist(), rows["id"].to_pylist(), strict=True))
    return [{names[int(a)] for a in row_K} for row_K in found_Q_K]


def with_every_partition(kb: KnowledgeBase, queries: list[str]) -> list[set[str]]:
    """Hybrid search that looks into all of the index and compares 1,000 exactly."""
    index = read_vector_index(kb.path)
    whole = replace(index, probes=max(1, index.partitions), proposals=1_000)
    write_json(kb.path / FIGURES, asdict(whole))
    try:
        return search_ids(kb, RetrievalSettings(), queries)
    finally:
        write_json(kb.path / FIGURES, asdict(index))


def share(found: list[set[str]], right: list[set[str]]) -> float:
    shares = [len(f & r) / len(r) for f, r in zip(found, right, strict=True)]
    return round(sum(shares) / len(shares), 4)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def folder_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def page(rows: list[dict[str, Any]]) -> str:
    """The page docs/scale.md."""
    columns = {
        "passages": "passages",
        "store_seconds": "store, s",
        "index_seconds": "index, s",
        "size_gb": "size, GB",
        "build_peak_gb": "peak memory building, GB",
        "search_peak_gb": "searching, GB",
        "open_seconds": "open, s",
        "p50_ms": "p50, ms",
        "p95_ms": "p95, ms",
        "dense_recall@10": "recall@10, dense",
        "hybrid_recall@10": "recall@10, hybrid",
    }
    lines = [
        "# Scale",
        "",
        "Written by `benchmarks/scale.py`. One process, "
        f"{len_cpus()} cores ({platform.machine()}), local disk. A query is hybrid, "
        f"`k` {K}, embedded by the default embedder and timed one at a time, "
        f"{QUERIES} queries after {WARM_UP} to warm up. Building is storing what was "
        "embedded before and making the indexes; embedding itself is "
        "`benchmarks/embed.py`.",
        "",
        "| " + " | ".join(columns.values()) + " |",
        "|" + " --- |" * len(columns),
    ]
    lines += [
        "| " + " | ".join(shown(row, name) for name in columns) + " |" for row in rows
    ]
    lines += [
        "",
        f"Up to {EXACT_LIMIT:,} passages every vector is compared, so recall is 1 by "
        "construction. Above, an IVF index over vectors quantized to a byte a "
        "dimension proposes passages, and those are compared exactly. Recall of dense "
        "search is against comparing all vectors; of hybrid search, against looking "
        "into the whole index.",
    ]
    for row in rows:
        if index := row.get("index"):
            lines += [
                "",
                f"At {row['passages']:,}: {index['partitions']} partitions, of which "
                f"{index['probes']} are looked into. That was chosen when the index "
                f"was made, by recall on {index['queries']} sample queries: "
                f"{index['recall']} ({index['recall_low']} to {index['recall_high']}).",
            ]
    return "\n".join(lines) + "\n"


def shown(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return "as exact"
    return f"{value:,}" if isinstance(value, int) else str(value)


def len_cpus() -> int:
    import os

    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
