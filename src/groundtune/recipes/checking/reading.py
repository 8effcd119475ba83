"""Files of claims to the sides of a training, and the evidence that is found for them.

Claims that stand among the test claims are left out of training, so that no score
profits from having seen them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.core.protocols import silent
from groundtune.core.values import LabelCase
from groundtune.data.claims import read_claims
from groundtune.data.stratify import split_stratified
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model
from groundtune.recipes.optimization.switching import embedder_of
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.settings import chosen_settings
from groundtune.systems.fact_checker import EvidenceFinder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import FactCase
    from groundtune.data.claims import DocumentEvidence
    from groundtune.systems.fact_checker import Evidence

DEV_SHARE = 0.15
_LEAST_CASES_TO_SHARE = 60
"""With fewer, none are held out for dev: each is worth more in training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of one side, with what the file and the knowledge base say to them."""

    cases: tuple[FactCase, ...]
    gold: Mapping[str, tuple[DocumentEvidence, ...]]
    """By case id: what the file says."""
    found: Mapping[str, tuple[Evidence, ...]]
    """By case id: what was retrieved, best document first."""

    @property
    def groups(self) -> list[str]:
        """What counts together: claims on one document."""
        return [case.group or case.id for case in self.cases]


def open_finder(
    kb: Path,
    *,
    embedder: str | Embedder = DEFAULT_EMBEDDER,
    k: int | None = None,
    where: str = "",
    progress: Progress = silent,
) -> EvidenceFinder:
    """What finds evidence in a knowledge base, with the settings chosen for it.

    Args:
        kb: Its folder.
        embedder: The model that made it.
        k: Passages to retrieve; None: enough for several documents.
        where: Which documents may be found, as `retrieve.filter` describes; empty: all.
        progress: Told about a model that is fetched.

    Raises:
        ConfigError: `where` is no filter.
        StoreError: There is no knowledge base, or another model made it.
    """
    from groundtune.retrieve.filter import parse_filter
    from groundtune.systems.fact_checker import PASSAGES

    # The cheap checks first: a wrong path or filter should not wait for a model.
    only = parse_filter(where) if where.strip() else None
    KnowledgeBase.open(kb)
    passages = k or PASSAGES
    # A passage is a fifth of a page: what decides may stand just beside the match.
    settings = chosen_settings(kb, k=passages, widen="neighbours")
    model = open_embedding_model(embedder_of(kb, embedder), progress=progress)
    base = KnowledgeBase.open(kb, embedder=model)
    retriever = HybridRetriever(base, model, settings, where=only)
    return EvidenceFinder(retriever, model, passages=passages)


def read_side(
    path: Path,
) -> tuple[tuple[FactCase, ...], Mapping[str, tuple[DocumentEvidence, ...]]]:
    """The claims of a file, and what it says of documents."""
    data = read_claims(path)
    return data.cases, data.evidence


def without(
    cases: Sequence[FactCase], others: Sequence[FactCase], *, where: Path
) -> tuple[FactCase, ...]:
    """Cases whose claims do not stand among `others`, whatever their case.

    Raises:
        DataError: None is left.
    """
    known = {case.claim.casefold().strip(" .") for case in others}
    kept = tuple(c for c in cases if c.claim.casefold().strip(" .") not in known)
    if not kept:
        raise DataError(
            "every claim also stands in the file it is to be tested on",
            fix="give files that share no claims",
            where=str(where),
        )
    return kept


def share(
    cases: Sequence[FactCase], *, seed: int
) -> tuple[tuple[FactCase, ...], tuple[FactCase, ...]]:
    """Training and dev claims, no document on both sides; few are all for training."""
    if len(cases) < _LEAST_CASES_TO_SHARE:
        return tuple(cases), ()
    train, dev = divided(cases, shares=(1 - DEV_SHARE, DEV_SHARE), seed=seed)
    return train, dev


def divided(
    cases: Sequence[FactCase], *, shares: Sequence[float], seed: int
) -> list[tuple[FactCase, ...]]:
    """Sides of these shares with the same mix of labels, no document on two of them."""
    stand_ins = [
        LabelCase(
            id=case.id,
            text=case.claim,
            label=case.label,
            group=case.group or case.source,
        )
        for case in cases
    ]
    sides = [
        {case.id for case in side}
        for side in split_stratified(stand_ins, shares=shares, seed=seed)
    ]
    return [tuple(case for case in cases if case.id in side) for side in sides]


def find_evidence(
    cases: Sequence[FactCase],
    gold: Mapping[str, tuple[DocumentEvidence, ...]],
    *,
    finder: EvidenceFinder,
    label: str,
    progress: Progress = silent,
) -> Claims:
    """Retrieve for each claim, by the claim alone."""
    found: dict[str, tuple[Evidence, ...]] = {}
    for number, case in enumerate(cases):
        progress(label, number, len(cases))
        found[case.id] = finder.select(case.claim, finder.hits(case.claim))
    progress(label, len(cases), len(cases))
    return Claims(
        cases=tuple(cases), gold={c.id: gold.get(c.id, ()) for c in cases}, found=found
    )
