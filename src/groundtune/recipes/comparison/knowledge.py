"""Step 1 in a process of its own: what retrieval finds, and where the answers stand.

The knowledge base is brought up to date, then every training and dev case is searched
once, with the settings that all arms share. Later steps read the file that is left.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.config.retrieval import RetrievalSettings
from groundtune.config.training import ContextSettings
from groundtune.core.errors import DataError
from groundtune.data.cases import read_cases
from groundtune.data.gold import GoldFinder, holds_answer
from groundtune.measure.retrieval import first_rank
from groundtune.recipes.comparison.ranking import Ranking, learn_ranking
from groundtune.recipes.comparison.reading import Shown, lessons_of
from groundtune.recipes.optimization.judge import CaseJudge, Query
from groundtune.recipes.optimization.measured import choose_alpha
from groundtune.retrieve.embed import open_named_embedder
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.narrow import NET, Narrower
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.settings import SETTINGS, read_settings
from groundtune.store.files import write_json
from groundtune.systems.memory import nearest_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.protocols import Embedder
    from groundtune.core.values import Hit, Passage, QaCase
    from groundtune.recipes.child import Channel

_SIDES = ("train", "dev", "test")
_CHOICE_CASES = 200
_TRAINING_HITS = 12
"""Hits kept for a training case: distractors, and passages to ask about in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeJob:
    """What this step needs. Paths as text: it crosses to another process."""

    kb: str
    embedder: str
    cases: str
    """Folder of train.jsonl, dev.jsonl and test.jsonl; a side may be absent."""
    out: str
    """File to write."""
    retrieval: RetrievalSettings
    seed: int
    teaches_reading: bool
    """Whether an adapter is to learn from what is found for training cases."""
    reading: ContextSettings = field(default_factory=ContextSettings)
    """What that adapter reads; what is left open is decided by the cases."""


def gather_evidence(job: KnowledgeJob, channel: Channel) -> dict[str, float]:
    """Search for all cases and write what was found; return figures on it.

    Raises:
        DataError: The knowledge base is empty, or teaches nobody to read.
    """
    embedder = open_named_embedder(job.embedder, offline=True)
    kb = KnowledgeBase.open(Path(job.kb), embedder=embedder)
    passages = [p for stored in kb.documents() for p in kb.passages(stored.id)]
    if not passages:
        raise DataError(
            "the knowledge base holds no passages",
            fix="ingest documents first, or pass --docs",
            where=job.kb,
        )
    gold = _gold_finder(kb)
    files = {side: Path(job.cases) / f"{side}.jsonl" for side in _SIDES}
    sides = {s: read_cases(f) if f.exists() else [] for s, f in files.items()}
    channel.progress("choosing retrieval settings on dev cases", 0, None)
    tried = [*sides["dev"], *sides["train"]][:_CHOICE_CASES]
    settings, choice = _chosen(job, kb, embedder, tried, gold=gold)
    retriever = HybridRetriever(kb, embedder, settings)
    rng = np.random.default_rng(job.seed)
    drawn = min(settings.k, len(passages))
    written: dict[str, dict[str, Any]] = {}
    shown: dict[str, list[Shown]] = {}
    figures: dict[str, float] = {"passages": float(len(passages))}
    for side, cases in sides.items():
        channel.progress(f"searching for {side} cases", 0, len(cases))
        k = settings.k if side == "test" else max(settings.k, _TRAINING_HITS)
        found = retriever.search_many([case.question for case in cases], k=k)
        ranks: list[int | None] = []
        shown[side] = []
        for case, hits in zip(cases, found, strict=True):
            right = gold.find(case)
            if right:
                ranks.append(_rank(right, hits[: settings.k]))
            elif side != "test":
                right = _distant(case, hits)
            shown[side].append(Shown(case, right, hits))
            at = rng.choice(len(passages), drawn, replace=False)
            written[case.id] = {
                "gold": [asdict(passage) for passage in right],
                "random": [asdict(passages[int(i)]) for i in at],
            }
        figures[f"{side}_with_right_passage"] = float(len(ranks))
        if ranks:
            hit = sum(rank is not None for rank in ranks)
            figures[f"{side}_hit_rate"] = hit / len(ranks)
    looked_at = max(settings.k, NET)
    ranking, learned = _ranking(job, shown["train"], embedder, k=looked_at, to=channel)
    if learned["adapter"]:
        figures |= {f"sentence_rank_{w}": learned[w] for w in ("plain", "learned")}
    reading = replace(job.reading, sentences=0)
    if job.teaches_reading:
        _refuse_unfound(shown["train"], names=[d.id for d in kb.documents()])
        reading, lessons = lessons_of(
            [*shown["train"], *shown["dev"]],
            ranking,
            k=looked_at,
            reading=job.reading,
            progress=channel.progress,
        )
        for one in lessons:
            written[one.case.id]["reading"] = one.as_json()
    evidence = {
        "retrieval": asdict(settings),
        "choice": choice,
        "figures": figures,
        "reading": asdict(reading),
        "ranking": learned,
        "cases": written,
        "nearest": _nearest_answers(embedder, sides["train"], sides["test"]),
    }
    write_json(Path(job.out), evidence)
    return figures


def _ranking(
    job: KnowledgeJob,
    shown: Sequence[Shown],
    embedder: Embedder,
    *,
    k: int,
    to: Channel,
) -> tuple[Ranking, dict[str, Any]]:
    """How sentences are ranked, and what of it stands in the evidence of a run.

    What was learned is kept beside the evidence, under the name that `adapter` has;
    empty: nothing that pays.
    """
    ranking = learn_ranking(
        shown, Narrower(embedder.encode), k=k, seed=job.seed, progress=to.progress
    )
    name = ""
    if ranking.adapter is not None:
        name = ranking.adapter.save(Path(job.out).parent, embedder=embedder.name)
    return ranking, {"adapter": name, **ranking.figures}


def _refuse_unfound(shown: Sequence[Shown], *, names: Sequence[str]) -> None:
    """Say at once, not after an hour, that no case can teach to read.

    Raises:
        DataError: Of no training case is it known which passage holds its answer.
    """
    if any(one.right for one in shown):
        return
    sources = sorted({one.case.source for one in shown} - {""})
    where = "their answers stand in none of the documents"
    if sources and not set(sources) & set(names):
        where = f"they name documents such as {sources[0]!r}, and there are such as "
        where += repr(min(names))
    raise DataError(
        f"no training case says which passage holds its answer: {where}",
        fix='write the name of a document into "source" and a sentence of it into '
        '"evidence", or measure plain, rag and tuned alone (--arms)',
        where="training cases",
    )


def _chosen(
    job: KnowledgeJob,
    kb: KnowledgeBase,
    embedder: Embedder,
    cases: Sequence[QaCase],
    *,
    gold: GoldFinder,
) -> tuple[RetrievalSettings, dict[str, float]]:
    """The settings of all arms: those chosen for the base, or a weight set on cases.

    Settings that the caller gave go before those that stand in the base.
    """
    if job.retrieval == RetrievalSettings() and (kb.path / SETTINGS).exists():
        return read_settings(kb.path), {}
    known = [case for case in cases if gold.find(case)]
    sources = {case.source for case in known}
    judge = CaseJudge(known, {name: kb.document_text(name) for name in sources})
    queries = [Query(case.id, case.question, case.source) for case in known]
    return choose_alpha(kb, embedder, job.retrieval, queries=queries, judge=judge)


def _rank(right: Sequence[Passage], hits: Sequence[Hit]) -> int | None:
    """Place of the first hit that holds a right passage, from 1.

    By document and span, since a hit may be wider than the passage that was found.
    """

    def holds(hit: Passage) -> bool:
        return any(
            hit.document == p.document and hit.start <= p.start and p.end <= hit.end
            for p in right
        )

    return first_rank([holds(hit.passage) for hit in hits])


def gold_of(
    job: tuple[str, tuple[tuple[str, tuple[QaCase, ...]], ...]], _channel: Channel
) -> list[dict[str, list[dict[str, Any]]]]:
    """Right passages of cases in each of some knowledge bases, by case id.

    Args:
        job: The embedder of all, and for each its folder and the cases.
    """
    spec, asked = job
    embedder = open_named_embedder(spec, offline=True)
    found: list[dict[str, list[dict[str, Any]]]] = []
    for kb_path, cases in asked:
        gold = _gold_finder(KnowledgeBase.open(Path(kb_path), embedder=embedder))
        found.append({c.id: [asdict(one) for one in gold.find(c)] for c in cases})
    return found


def _gold_finder(kb: KnowledgeBase) -> GoldFinder:
    names = [stored.id for stored in kb.documents()]
    return GoldFinder(
        (passage for name in names for passage in kb.passages(name)),
        {name: kb.document_text(name) for name in names},
    )


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
    embedder: Embedder,
    train: list[QaCase],
    test: list[QaCase],
) -> dict[str, str]:
    """For each test case the answer of the training question that is most like it."""
    known = [case for case in train if case.answers]
    if not known or not test:
        return {}
    copied = nearest_answers(
        [case.question for case in test],
        known=[case.question for case in known],
        answers=[case.answers[0] for case in known],
        embedder=embedder,
    )
    return {case.id: answer for case, answer in zip(test, copied, strict=True)}
