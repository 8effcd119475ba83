"""What does the Python documentation say about X? Twenty topics, every source checked.

The base holds the sections of the documentation without their headings, so that
finding them is no matter of matching titles; the contents pages of the FAQ, which list
the questions, are left out. The topics are every eighth question of the FAQ, from the
first: `--from 4` takes others, on which thresholds were chosen. Usage:

    python benchmarks/summaries.py DATA [--words 100] [--model M] [--from 0] [--show]

DATA is the folder that holds `docs_python311`. Each citation is checked against the
stored document (offsets and words), against the sentence that it stands for (most of
the sentence's longer words stand in the cited span), and against the section that
answers the question, which is one of many that may say something about it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.values import Document
from groundtune.measure.rouge import unsupported_sentences
from groundtune.measure.statistics import wilson
from groundtune.retrieve.embed import open_embedder
from groundtune.retrieve.index import KnowledgeBase
from groundtune.store.models import open_model
from groundtune.systems.summarizer import SummarizerSpec, build_summarizer
from groundtune.tasks.summarization import within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.systems.summarizer import Summary

TOPICS = 20
EVERY = 8
EMBEDDER = "all-minilm-l6-v2"


class Checked(NamedTuple):
    """What is counted over all topics."""

    sentences: int
    cited: int
    citations: int
    resolved: int
    borne_out: int
    in_gold: int
    gold_found: int
    length_given: int
    abstractive: int


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def make_base(data: Path, folder: Path) -> KnowledgeBase:
    """Each section a document of its own, named by its place; headings left out."""
    embedder = open_embedder(open_model(EMBEDDER, kind="embedder"))
    kb = KnowledgeBase.create_or_open(folder, embedder=embedder)
    documents = [
        Document(id=section["id"], text=section["text"])
        for section in lines(data / "sections.jsonl")
        if not section["text"].startswith("Contents")
    ]
    kb.update(documents, delete_missing=False)
    return kb


def checked(kb: KnowledgeBase, made: Summary, gold: str) -> Checked:
    answer = made.answer
    spans = {cited.sentence for cited in answer.citations if cited.sentence}
    borne_out = 0
    for cited in answer.citations:
        assert cited.sentence is not None
        text = kb.document_text(cited.document)[cited.start : cited.end]
        said = answer.text[cited.sentence.start : cited.sentence.end]
        borne_out += unsupported_sentences(said, text) == 0
    in_gold = sum(cited.document == gold for cited in answer.citations)
    return Checked(
        sentences=len(spans) + len(answer.unsupported),
        cited=len(spans),
        citations=len(answer.citations),
        resolved=sum(kb.resolve(cited) for cited in answer.citations),
        borne_out=borne_out,
        in_gold=in_gold,
        gold_found=in_gold > 0,
        length_given=made.wanted is None or within(made.words, made.wanted),
        abstractive=made.method == "abstractive",
    )


def share(count: int, of: int) -> str:
    limits = wilson(float(count), of)
    return f"{count}/{of} = {count / of:.3f} [{limits.low:.3f}, {limits.high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--words", type=int, default=100)
    parser.add_argument("--model", default="")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--kb", type=Path, default=None, help="kept, if it stands")
    parser.add_argument("--topics", type=int, default=TOPICS)
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    data = chosen.data / "docs_python311"
    asked = list(lines(data / "faq_qa.jsonl"))[chosen.first :: EVERY][: chosen.topics]

    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.kb or Path(scratch) / "kb"
        if not (folder / "kb.json").exists():
            make_base(data, folder)
        kb = KnowledgeBase.open(folder)
        system = build_summarizer(
            SummarizerSpec(
                name="summary",
                embedder=EMBEDDER,
                model=chosen.model,
                kb=str(folder),
                retrieval=asdict(RetrievalSettings()),
                words=chosen.words,
            )
        )
        found: list[Checked] = []
        seconds: list[float] = []
        for case in asked:
            start = time.perf_counter()
            made = system.summarize(system.on_topic(case["question"]))
            seconds.append(time.perf_counter() - start)
            found.append(checked(kb, made, case["id"]))
            print(f"{made.words:4d} words, {made.method}: {case['question']}")
            if chosen.show:
                print(f"     {made.why}")
                for cited in made.answer.citations:
                    mark = "*" if cited.document == case["id"] else " "
                    print(f"   {mark} {' '.join(cited.text.split())}")

    total = Checked(*(sum(column) for column in zip(*found, strict=True)))
    topics = len(found)
    print(f"sentences with a source: {share(total.cited, total.sentences)}")
    print(f"offsets that resolve:    {share(total.resolved, total.citations)}")
    print(f"citation precision:      {share(total.borne_out, total.citations)}")
    print(f"in the answering section: {share(total.in_gold, total.citations)}")
    print(f"topics whose answering section is cited: {share(total.gold_found, topics)}")
    print(f"length as asked for:     {share(total.length_given, topics)}")
    print(f"written by the model:    {share(total.abstractive, topics)}")
    print(f"seconds a topic: {sorted(seconds)[topics // 2]:.2f} in the middle")


if __name__ == "__main__":
    main()
