"""Quality of retrieval on public data: the figures of decision 0011.

    SciFact, Cranfield      nDCG@10 of bm25, dense and hybrid, on BEIR test queries
    SciFact                 the same after `optimize` and after `tune retrieval`
    Python documentation    hit@5 of FAQ questions against the section they head
    Debian FAQ              the same from its HTML and from its PDF

A FAQ question is the heading of its own section, so every occurrence of it is taken out
of the documents before they are indexed. A passage is right where it is mostly made of
the section, or holds most of it. Usage:

    python benchmarks/retrieval_quality.py DATA [--work DIR] [--only NAME]...
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.values import Document
from groundtune.data.read import find_documents, read_documents
from groundtune.measure.statistics import mean_interval
from groundtune.recipes.evaluate import evaluate
from groundtune.recipes.ingest import open_embedding_model
from groundtune.recipes.optimize import optimize
from groundtune.recipes.tune_retrieval import tune_embedder
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from groundtune.core.protocols import Embedder

K = 5
RIGHT = 0.5
"""Share of the word sequences of a passage, or of a section, that the other holds."""
RUN = 4
"""Words in a sequence."""
MARK = "*"
"""What is left of a heading that is a question."""


def scifact(data: Path, work: Path) -> dict[str, Any]:
    return evaluate("retrieval", beir=data / "scifact", kb=work / "scifact").to_json()


def cranfield(data: Path, work: Path) -> dict[str, Any]:
    return evaluate(
        "retrieval", beir=data / "cranfield", kb=work / "cranfield"
    ).to_json()


def optimized(data: Path, work: Path) -> dict[str, Any]:
    kb = work / "scifact-optimized"
    chosen = optimize(kb=kb, beir=data / "scifact").to_json()
    report = evaluate("retrieval", beir=data / "scifact", kb=kb).to_json()
    return {"optimize": chosen, **report}


def tuned(data: Path, work: Path) -> dict[str, Any]:
    kb = work / "scifact-tuned"
    report = tune_embedder(kb=kb, beir=data / "scifact").to_json()
    after = evaluate("retrieval", beir=data / "scifact", kb=kb).to_json()
    return {"tune": report, **after}


def python_docs(data: Path, work: Path) -> dict[str, Any]:
    folder = data / "docs_python311"
    return {"hit@5": faq(folder, folder / "html", work / "python")}


def debian_faq(data: Path, work: Path) -> dict[str, Any]:
    folder = data / "docs_debian_faq"
    return {
        "hit@5 html": faq(folder, folder / "html", work / "debian-html"),
        "hit@5 pdf": faq(folder, folder / "debian-faq.en.pdf", work / "debian-pdf"),
    }


def faq(folder: Path, documents: Path, kb: Path) -> dict[str, float | int]:
    """hit@5 of the questions of a FAQ, their own words taken out of the documents."""
    questions = [json.loads(line) for line in lines_of(folder / "faq_qa.jsonl")]
    sections = {
        raw["id"]: raw["text"]
        for raw in map(json.loads, lines_of(folder / "sections.jsonl"))
    }
    title = titles_pattern([question["question"] for question in questions])
    embedder = open_embedding_model("all-minilm-l6-v2")
    base = without_titles(documents, kb, title, embedder)
    retriever = HybridRetriever(base, embedder)
    found = retriever.search_many([q["question"] for q in questions], k=K)
    hits = [
        float(any(is_right(hit.passage.text, sections[q["id"]]) for hit in five))
        for q, five in zip(questions, found, strict=True)
    ]
    rng = np.random.default_rng(0)
    interval = mean_interval(hits, [q["id"] for q in questions], rng=rng)
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "n": len(hits),
    }


def without_titles(
    documents: Path, kb: Path, title: re.Pattern[str], embedder: Embedder
) -> KnowledgeBase:
    """A knowledge base of documents that do not hold the questions."""
    from groundtune.config.splitter import SplitterSettings

    base = KnowledgeBase.create_or_open(
        kb, embedder=embedder, splitter=SplitterSettings()
    )
    read = read_documents(find_documents([documents]).files)
    base.update(
        (cut(one, title) if isinstance(one, Document) else one for one in read),
        delete_missing=True,
    )
    return base


def titles_pattern(titles: Sequence[str]) -> re.Pattern[str]:
    """Finds every title, whatever its spaces and quotes are, its number included."""
    quote = "['\"`\u2018\u2019\u201c\u201d]"

    def loose(title: str) -> str:
        words = [re.escape(word) for word in title.split()]
        return r"\s+".join(re.sub(quote, quote, word) for word in words)

    longest = sorted(titles, key=len, reverse=True)
    return re.compile(rf"(?:\d+(?:\.\d+)*\.?\s+)?(?:{'|'.join(map(loose, longest))})")


def cut(document: Document, title: re.Pattern[str]) -> Document:
    """The document without the words of any title; blocks move with their text.

    A heading keeps its place and level, with a mark for its words: that a section
    begins there is part of the document, what it is called is the question.
    """
    headings = [(b.start, b.end) for b in document.blocks if b.kind == "heading"]
    parts: list[str] = []
    ends, shifts = [0], [0]
    position = removed = 0
    matches = list(title.finditer(document.text))
    for match in matches:
        is_heading = any(a <= match.start() < b for a, b in headings)
        mark = MARK if is_heading else ""
        parts += [document.text[position : match.start()], mark]
        position = match.end()
        removed += match.end() - match.start() - len(mark)
        ends.append(match.end())
        shifts.append(removed)
    text = "".join([*parts, document.text[position:]])

    def moved(at: int) -> int:
        # A place inside a title becomes the place before it.
        at = next((m.start() for m in matches if m.start() < at < m.end()), at)
        return at - shifts[bisect_right(ends, at) - 1]

    blocks = [
        b._replace(start=moved(b.start), end=moved(b.end)) for b in document.blocks
    ]
    return Document(
        id=document.id,
        text=text,
        title="" if title.fullmatch(document.title) else document.title,
        blocks=tuple(b for b in blocks if text[b.start : b.end].strip(" \n\t.")),
        metadata=document.metadata,
    )


def is_right(passage: str, section: str) -> bool:
    """Whether the passage is mostly of the section, or holds most of it."""
    one, other = runs(passage), runs(section)
    if not one or not other:
        return " ".join(words(section)) in " ".join(words(passage))
    shared = len(one & other)
    return shared >= RIGHT * min(len(one), len(other))


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + RUN]) for at in range(len(found) - RUN + 1)}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def lines_of(path: Path) -> Iterable[str]:
    return path.read_text(encoding="utf-8").splitlines()


PARTS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "scifact": scifact,
    "cranfield": cranfield,
    "optimized": optimized,
    "tuned": tuned,
    "python": python_docs,
    "debian": debian_faq,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, help="folder that keeps the bases")
    parser.add_argument("--only", action="append", choices=PARTS, default=[])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = chosen.work or Path(folder)
        for name in chosen.only or PARTS:
            start = time.perf_counter()
            found = PARTS[name](chosen.data, work)
            seconds = round(time.perf_counter() - start, 1)
            print(json.dumps({"part": name, "seconds": seconds, **found}), flush=True)


if __name__ == "__main__":
    main()
