"""Which queries settings are chosen on, and which they are reported on.

Cases are split by document; a BEIR collection brings its own split. Both become the
same thing: queries on two sides, and a judge of what is found for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.data.beir import read_beir
from groundtune.data.cases import read_cases
from groundtune.data.splits import group_of, split_cases
from groundtune.recipes.evaluate import open_collection
from groundtune.recipes.ingest import open_embedding_model
from groundtune.recipes.optimization.judge import (
    BeirJudge,
    Query,
    case_judge,
    per_document,
)
from groundtune.recipes.optimization.switching import embedder_of
from groundtune.retrieve.index import KnowledgeBase

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import QaCase
    from groundtune.recipes.optimization.judge import Judge

FEWEST = 20
"""Queries on a side, below which a choice would follow chance alone."""


class Sides(NamedTuple):
    """Queries by what they are for."""

    dev: list[Query]
    test: list[Query]


class Labelled(NamedTuple):
    """A knowledge base that is open, and labelled queries on it."""

    base: KnowledgeBase
    embedder: Embedder
    judge: Judge
    sides: Sides
    right: dict[str, list[str]]
    """Ids of the right passages of each dev query."""


def from_beir(
    beir: Path, kb: Path, *, embedder: str | Embedder, seed: int, progress: Progress
) -> Labelled:
    """Dev queries of dev.tsv, else of train.tsv, else half of those of test.tsv.

    Raises:
        DataError: There are too few queries, or the base holds other documents.
        StoreError: The base cannot be used.
    """
    collection = read_beir(beir)
    base, model = open_collection(
        collection, kb=kb, model=embedder, splitter=None, progress=progress
    )
    test = collection.judged("test")
    side = next((s for s in ("dev", "train") if s in collection.qrels), "")
    dev = collection.qrels[side] if side else {}
    if not side:
        order = sorted(test, key=lambda name: _rank(seed, name))
        dev = {name: test[name] for name in order[::2]}
        test = {name: test[name] for name in order[1::2]}
    judge = BeirJudge({**dev, **test}, per_document=per_document(base))

    def queries(names: Sequence[str]) -> list[Query]:
        return [Query(name, collection.queries[name], name) for name in names]

    sides = Sides(queries(sorted(dev)), queries(sorted(test)))
    ids = ids_by_document(base)
    right = {
        name: [
            one
            for document in (d for d, gain in gains.items() if gain > 0)
            for one in ids.get(document, ())
        ]
        for name, gains in dev.items()
    }
    return Labelled(base, model, judge, _enough(sides, beir), right)


def from_cases(
    cases: Path, kb: Path, *, embedder: str | Embedder, seed: int, progress: Progress
) -> Labelled:
    """Cases whose evidence is in the base; test is as large as a comparison's.

    Raises:
        DataError: There are too few of them.
        StoreError: The base cannot be used.
    """
    labelled = read_cases(cases)
    # The cheap check first: a wrong path should not wait for a model.
    KnowledgeBase.open(kb)
    model = open_embedding_model(embedder_of(kb, embedder), progress=progress)
    base = KnowledgeBase.open(kb, embedder=model)
    judge, right = case_judge(base, labelled)
    if not right:
        raise DataError(
            "the evidence of no case is in the knowledge base",
            fix='name documents of the base as "source" of the cases',
            where=str(cases),
        )
    # All are split, as a comparison with this seed does: its test cases stay unseen.
    split = split_cases(labelled, seed=seed)

    def queries(side: Sequence[QaCase]) -> list[Query]:
        return [
            Query(case.id, case.question, group_of(case))
            for case in side
            if case.id in right
        ]

    sides = Sides(queries([*split.train, *split.dev]), queries(split.test))
    dev = [query.id for query in sides.dev]
    ids = {name: [passage.id for passage in right[name]] for name in dev}
    return Labelled(base, model, judge, _enough(sides, cases), ids)


def ids_by_document(base: KnowledgeBase) -> dict[str, list[str]]:
    """Ids of the passages of each document."""
    rows = base.read(["id", "document"])
    found: dict[str, list[str]] = {}
    for name, document in zip(
        rows.column("id").to_pylist(), rows.column("document").to_pylist(), strict=True
    ):
        found.setdefault(document, []).append(name)
    return found


def _enough(sides: Sides, where: Path) -> Sides:
    if min(len(side) for side in sides) < FEWEST:
        raise DataError(
            f"{len(sides.dev)} queries to choose on and {len(sides.test)} to test "
            "with whose evidence is in the knowledge base",
            fix=f"label more: {FEWEST} on each side at least",
            where=str(where),
        )
    return sides


def sample(queries: list[Query], *, limit: int, seed: int) -> list[Query]:
    """At most `limit` queries, a larger limit taking in what a smaller one does."""
    if limit < FEWEST:
        raise ConfigError(
            f"limit is {limit}", fix=f"use {FEWEST} or more", where="--limit"
        )
    kept = sorted(queries, key=lambda query: _rank(seed, query.id))[:limit]
    return sorted(kept)


def _rank(seed: int, name: str) -> str:
    return text_sha256(f"{seed}\0{name}")
