"""What an embedder is tuned on and measured on: questions with their right passages.

Questions come from labelled cases, from a BEIR collection, or from the documents
themselves, and are parted into three: to train on, to stop by, and to measure the gain
on. Wrong passages that look right are mined with the base in service.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import zip_longest
from math import log2
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.data import beir as collections
from groundtune.data.cases import read_cases
from groundtune.data.splits import group_of, split_cases
from groundtune.recipes.evaluate import open_collection
from groundtune.recipes.optimization.judge import (
    BeirJudge,
    Query,
    case_judge,
    per_document,
)
from groundtune.recipes.optimization.measured import measure_search
from groundtune.recipes.optimization.queries import ids_by_document
from groundtune.retrieve.schema import PASSAGE_COLUMNS, to_passage, vectors_of
from groundtune.retrieve.search import HybridRetriever
from groundtune.tune.pairs import Pair, Pool, made_questions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.data.beir import Judgements
    from groundtune.recipes.optimization.judge import Judge
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.tune.pairs import MadeQuestion

    Floats = npt.NDArray[np.float32]

_HELD, _STOP = 0.2, 0.06
"""Shares of the questions where nobody parted them."""
_MOST_STOP, _MOST_HELD, _MOST_MADE = 40, 400, 2000
_DENSE, _WORDS = 30, 10
"""Wrong passages are looked for among so many nearest, and so many best by words."""
_KEPT = 4
_SAFE = 0.95
"""A passage nearly as near as the right one may be right as well (arXiv 2407.15831)."""
_POOL = 12
_DEPTH = 10


class Example(NamedTuple):
    """A question to learn from."""

    query: str
    right: tuple[tuple[str, ...], ...]
    """Ids of right passages, by document: the nearest of each is trained on."""
    text: str = ""
    """What is trained on in place of the passage's text."""
    shunned: str = ""
    """Document none of whose passages is taken for a wrong one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Questions by what they are for."""

    kind: str
    train: list[Example]
    stop: list[Example]
    held: list[Query]
    judge: Judge | None = None
    """None where questions were made: they hold the words of their passages, so only
    vectors of texts without these words can be compared."""
    made: list[MadeQuestion] = field(default_factory=list["MadeQuestion"])
    """The questions of `held`, where they were made."""

    def measure(self, settings: RetrievalSettings) -> str:
        """Name of what `gains` gives."""
        if self.judge is None:
            return f"ndcg@{_DEPTH} of vectors alone"
        return self.judge.measure(settings.k)

    def dense_settings(self, settings: RetrievalSettings) -> RetrievalSettings:
        """The same search by vectors alone."""
        return replace(
            settings, mode="dense", mmr=None, widen="none", rerank="", query_adapter=""
        )

    def gains(
        self, base: KnowledgeBase, embedder: Embedder, settings: RetrievalSettings
    ) -> tuple[float, ...]:
        """Quality of each held-out question, in order."""
        if self.judge is None:
            return _made_gains(self.made, base, embedder)
        return measure_search(
            base, embedder, settings, queries=self.held, judge=self.judge
        ).gains


def from_beir(
    beir: Path,
    kb: Path,
    *,
    model: str,
    seed: int,
    progress: Progress,
) -> tuple[KnowledgeBase, Embedder, Material]:
    """Train on train.tsv; dev.tsv is held out, or a fifth of train.tsv without one.

    Test queries are not touched.

    Raises:
        DataError: There is no train.tsv.
        StoreError: The base cannot be used.
    """
    collection = collections.read_beir(beir)
    judged = collection.judged("train")
    base, embedder = open_collection(
        collection, kb=kb, model=model, splitter=None, progress=progress
    )
    order = sorted(judged, key=lambda name: text_sha256(f"{seed}\0{name}"))
    held: Judgements = collection.qrels.get("dev", {})
    if not held:
        cut = round(_HELD * len(order))
        held = {name: judged[name] for name in order[:cut]}
        order = order[cut:]
    cut = min(_MOST_STOP, round(_STOP * len(order)))
    ids = ids_by_document(base)

    def examples(names: Sequence[str]) -> list[Example]:
        found: list[Example] = []
        for name in names:
            right = [d for d, gain in judged[name].items() if gain > 0 and d in ids]
            if right:
                groups = tuple(tuple(ids[document]) for document in right)
                found.append(Example(collection.queries[name], groups))
        return found

    material = Material(
        kind="beir",
        train=examples(order[cut:]),
        stop=examples(order[:cut]),
        held=[Query(name, collection.queries[name], name) for name in sorted(held)],
        judge=BeirJudge(held, per_document=per_document(base)),
    )
    return base, embedder, material


def from_cases(base: KnowledgeBase, cases: Path, *, seed: int) -> Material:
    """Cases split by document, as a comparison splits them; test is held out.

    Raises:
        DataError: The evidence of too few is in the base.
    """
    labelled = read_cases(cases)
    judge, right = case_judge(base, labelled)
    split = split_cases(labelled, seed=seed)
    train, stop, held = (
        [case for case in side if case.id in right]
        for side in (split.train, split.dev, split.test)
    )
    if not held:
        raise DataError(
            "the evidence of no held-out case is in the knowledge base",
            fix='name documents of the base as "source" of the cases',
            where=str(cases),
        )
    examples = [
        [Example(c.question, (tuple(p.id for p in right[c.id]),)) for c in side]
        for side in (train, stop[:_MOST_STOP])
    ]
    return Material(
        kind="cases",
        train=examples[0],
        stop=examples[1],
        held=[Query(case.id, case.question, group_of(case)) for case in held],
        judge=judge,
    )


def from_documents(base: KnowledgeBase, *, seed: int) -> Material:
    """Questions made from the documents; no document is on two sides.

    Raises:
        DataError: The documents give no held-out question.
    """
    rows = base.read(PASSAGE_COLUMNS).to_pylist()
    passages = [to_passage(row, where=str(base.path)) for row in rows]
    sides: dict[str, list[MadeQuestion]] = {"train": [], "stop": [], "held": []}
    for question in made_questions(passages, most=_MOST_MADE):
        digest = text_sha256(f"{seed}\0{question.passage.document}")
        place = int(digest[:8], 16) / 16**8
        side = "held" if place < _HELD else "stop" if place < _HELD + _STOP else "train"
        sides[side].append(question)
    if not sides["held"]:
        raise DataError(
            f"no question can be made from {len(base.documents())} documents and held "
            "out",
            fix="ingest more documents, or label questions and pass --cases",
            where=str(base.path),
        )
    train, stop = (
        [
            Example(q.query, ((q.passage.id,),), q.text, q.passage.document)
            for q in sides[side]
        ]
        for side in ("train", "stop")
    )
    held = sides["held"][:_MOST_HELD]
    return Material(
        kind="made from the documents",
        train=train,
        stop=stop[:_MOST_STOP],
        held=[Query(q.id, q.query, q.passage.document) for q in held],
        made=held,
    )


def training_pairs(
    base: KnowledgeBase, embedder: Embedder, material: Material
) -> tuple[list[Pair], list[Pool]]:
    """Pairs to train on, each with hard negatives, and pools to stop by."""
    miner = _Miner(base, embedder)
    pairs: list[Pair] = []
    for example, mined in miner.mine(material.train):
        everything = tuple(
            miner.texts[name] for names in example.right for name in names
        )
        for names in example.right:
            nearest = max(names, key=lambda name: mined.nearness[miner.places[name]])
            positive = example.text or miner.texts[nearest]
            limit = _SAFE * float(mined.nearness[miner.places[nearest]])
            safe = [p for p in mined.wrong if mined.nearness[p] <= limit]
            # Where all are nearer than the right one, the last are the safest.
            kept = (safe or mined.wrong[::-1])[:_KEPT]
            pairs.append(
                Pair(
                    query=example.query,
                    positive=positive,
                    negatives=tuple(miner.text_at(place) for place in kept),
                    also_right=tuple(t for t in everything if t != positive),
                )
            )
    pools = [
        Pool(
            query=example.query,
            right=(example.text,)
            if example.text
            else tuple(miner.texts[name] for names in example.right for name in names),
            wrong=tuple(miner.text_at(place) for place in mined.wrong[:_POOL]),
        )
        for example, mined in miner.mine(material.stop)
    ]
    return pairs, pools


class _Mined(NamedTuple):
    nearness: Floats
    """Of every passage to the question."""
    wrong: list[int]
    """Places of passages that are not right, the hardest first."""


class _Miner:
    """Finds passages that look right and are not."""

    def __init__(self, base: KnowledgeBase, embedder: Embedder) -> None:
        rows = base.read(["id", "document", "search_text", "vector"])
        self.names: list[str] = rows.column("id").to_pylist()
        self.documents: list[str] = rows.column("document").to_pylist()
        self.places = {name: place for place, name in enumerate(self.names)}
        self.texts: dict[str, str] = dict(
            zip(self.names, rows.column("search_text").to_pylist(), strict=True)
        )
        self._vectors_P_D = vectors_of(rows, dim=embedder.dim)
        self._embedder = embedder
        how = RetrievalSettings(mode="bm25")
        self._words = HybridRetriever(base, embedder, how)

    def text_at(self, place: int) -> str:
        """What the passage at a place of the table is embedded as."""
        return self.texts[self.names[place]]

    def mine(self, examples: Sequence[Example]) -> Iterator[tuple[Example, _Mined]]:
        """Each example with what was mined for it."""
        if not examples:
            return
        queries = [example.query for example in examples]
        by_words = self._words.search_many(queries, k=_WORDS)
        for example, query_D, hits in zip(
            examples, self._embedder.encode(queries), by_words, strict=True
        ):
            nearness_P = self._vectors_P_D @ query_D
            nearest = np.argsort(-nearness_P, kind="stable")[:_DENSE].tolist()
            words = [self.places[hit.passage.id] for hit in hits]
            right = {name for names in example.right for name in names}
            mixed = [p for two in zip_longest(nearest, words) for p in two]
            wrong = [
                place
                for place in dict.fromkeys(p for p in mixed if p is not None)
                if self.names[place] not in right
                and self.documents[place] != example.shunned
            ]
            yield example, _Mined(nearness_P, wrong)


def _made_gains(
    made: Sequence[MadeQuestion], base: KnowledgeBase, embedder: Embedder
) -> tuple[float, ...]:
    """Discounted gain of the passage that each question was taken from.

    The passage competes by the vector of its text without the question's words.
    """
    rows = base.read(["id", "vector"])
    names: list[str] = rows.column("id").to_pylist()
    places = {name: place for place, name in enumerate(names)}
    vectors_P_D = vectors_of(rows, dim=embedder.dim)
    queries_Q_D = embedder.encode([question.query for question in made])
    texts_Q_D = embedder.encode([question.text for question in made])
    gains: list[float] = []
    for question, query_D, text_D in zip(made, queries_Q_D, texts_Q_D, strict=True):
        nearness_P = vectors_P_D @ query_D
        nearness_P[places[question.passage.id]] = -np.inf
        rank = 1 + int((nearness_P >= float(text_D @ query_D)).sum())
        gains.append(1.0 / log2(1 + rank) if rank <= _DEPTH else 0.0)
    return tuple(gains)
