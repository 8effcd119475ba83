"""Step 1 in a process of its own: what retrieval finds, and where the answers stand.

The knowledge base is brought up to date, then every training and dev case is searched
once, with the settings that all arms share. Later steps read the file that is left.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import DataError
from groundtune.core.values import Hit, Passage, QaCase
from groundtune.data.cases import read_cases
from groundtune.data.gold import GoldFinder, holds_answer
from groundtune.retrieve.embed import open_embedder
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.store.files import write_json
from groundtune.store.models import open_model
from groundtune.tune.examples import Evidence

if TYPE_CHECKING:
    from groundtune.recipes.child import Channel

_TRAINING_HITS = 12
"""Hits kept for a training case: distractors, and passages to ask about in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeJob:
    """What this step needs. Paths as text: it crosses to another process."""

    kb: str
    embedder: str
    cases: str
    """Folder of train.jsonl, dev.jsonl and test.jsonl."""
    out: str
    """File to write."""
    retrieval: RetrievalSettings
    seed: int


def gather_evidence(job: KnowledgeJob, channel: Channel) -> dict[str, float]:
    """Search for all cases and write what was found; return figures on it.

    Raises:
        DataError: The knowledge base is empty.
    """
    embedder = open_embedder(open_model(job.embedder, kind="embedder", offline=True))
    kb = KnowledgeBase.open(Path(job.kb), embedder=embedder)
    retriever = HybridRetriever(kb, embedder, job.retrieval)
    documents = [stored.id for stored in kb.documents()]
    passages = [p for name in documents for p in kb.passages(name)]
    if not passages:
        raise DataError(
            "the knowledge base holds no passages",
            fix="ingest documents first, or pass --docs",
            where=job.kb,
        )
    texts = {name: kb.document_text(name) for name in documents}
    gold = GoldFinder(passages, texts)
    sides = {
        side: read_cases(Path(job.cases) / f"{side}.jsonl")
        for side in ("train", "dev", "test")
    }
    rng = np.random.default_rng(job.seed)
    written: dict[str, dict[str, Any]] = {}
    figures: dict[str, float] = {"passages": float(len(passages))}
    for side, cases in sides.items():
        channel.progress(f"searching for {side} cases", 0, len(cases))
        k = job.retrieval.k if side == "test" else _TRAINING_HITS
        found = retriever.search_many([case.question for case in cases], k=k)
        for case, hits in zip(cases, found, strict=True):
            right = gold.find(case)
            if not right and side != "test":
                right = _distant(case, hits)
            written[case.id] = {
                "gold": [asdict(passage) for passage in right],
                "hits": [asdict(hit) for hit in hits],
                "random": [
                    asdict(passages[int(i)])
                    for i in rng.choice(
                        len(passages), min(job.retrieval.k, len(passages)), False
                    )
                ],
            }
        known = [
            (written[case.id]["gold"], hits[: job.retrieval.k])
            for case, hits in zip(cases, found, strict=True)
            if written[case.id]["gold"]
        ]
        if known:
            figures[f"{side}_hit_rate"] = sum(
                any(
                    hit.passage.id in {passage["id"] for passage in right}
                    for hit in hits
                )
                for right, hits in known
            ) / len(known)
        figures[f"{side}_with_right_passage"] = float(len(known))
    nearest = _nearest_answers(embedder, sides["train"], sides["test"])
    write_json(
        Path(job.out), {"cases": written, "nearest": nearest, "figures": figures}
    )
    return figures


def _distant(case: QaCase, hits: list[Hit]) -> list[Passage]:
    """For training alone: the best hit that holds the answer's words.

    Only where a case does not say where its answer stands. The words may stand there
    by chance, so a test case is never judged by it.
    """
    if not case.answerable or case.source:
        return []
    return [
        hit.passage for hit in hits if holds_answer(hit.passage.text, case.answers)
    ][:1]


def _nearest_answers(
    embedder: Any,  # noqa: ANN401
    train: list[QaCase],
    test: list[QaCase],
) -> dict[str, str]:
    """For each test case the answer of the training question that is most like it."""
    known = [case for case in train if case.answers]
    if not known or not test:
        return {}
    train_N_D = embedder.encode([case.question for case in known])
    test_M_D = embedder.encode([case.question for case in test])
    best_M = (test_M_D @ train_N_D.T).argmax(axis=1)
    return {
        case.id: known[int(best)].answers[0]
        for case, best in zip(test, best_M, strict=True)
    }


def read_evidence(raw: dict[str, Any]) -> Evidence:
    """One case's evidence, as `gather_evidence` wrote it."""
    gold = [Hit(passage=Passage(**passage), score=0.0) for passage in raw["gold"]]
    hits = tuple(
        Hit(passage=Passage(**hit["passage"]), score=hit["score"])
        for hit in raw["hits"]
    )
    return Evidence(gold[0] if gold else None, hits)
