"""The arms of fact-checking: a judge, with evidence from a knowledge base or without.

| arm | says |
| --- | --- |
| plain | what a generator as published says of the claim alone |
| rag | what it, or a rule on wording, says of the claim beside retrieved sentences |
| tuned | an encoder trained on claims alone: what their wording gives away |
| both | the verdict model, trained with retrieved evidence and given it |
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.values import Answer, Timing
from groundtune.retrieve.embed import open_named_embedder
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.systems.fact_checker import EvidenceFinder, FactChecker
from groundtune.systems.judges import (
    ClaimJudge,
    EngineJudge,
    RuleJudge,
    open_engine_judge,
)
from groundtune.systems.labeller import open_labeller
from groundtune.systems.verdict_models import open_verdict_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.core.values import FactCase
    from groundtune.systems.fact_checker import Judge

JudgeKind = Literal["generator", "rule", "claims", "verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSpec:
    """What an arm of fact-checking is made of. JSON types only."""

    name: str
    judge: JudgeKind
    """`claims` was trained on claims alone, `verdict` on claims beside evidence."""
    model: str = ""
    """Generator, or folder of the trained model; empty for the rule."""
    kb: str = ""
    """Knowledge base to retrieve from; empty: no evidence."""
    embedder: str = ""
    retrieval: dict[str, Any] = field(default_factory=dict[str, Any])
    """A `RetrievalSettings` as `dataclasses.asdict` gives it."""
    passages: int = 0
    """How many are retrieved for a claim."""


class FactSystem:
    """An arm of fact-checking, as a spec describes it."""

    def __init__(self, spec: FactSpec) -> None:
        """Load everything that the spec names. Nothing is fetched from the network.

        Raises:
            GroundtuneError: A model or the knowledge base cannot be opened.
        """
        self.name = spec.name
        self._alone: EngineJudge | ClaimJudge | None = None
        self._checker: FactChecker | None = None
        if spec.kb:
            self._checker = FactChecker(spec.name, _finder(spec), _judge(spec))
        elif spec.judge == "claims":
            self._alone = ClaimJudge(open_labeller(spec.model))
        else:
            self._alone = open_engine_judge(spec.model)

    def answer(
        self, case: FactCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """Judge one claim; the text of the answer is the label.

        Raises:
            GenerationError: The judge is a generator, and it failed.
        """
        if self._checker is not None:
            checked = self._checker.check(case.claim)
            answer, label = checked.answer, checked.label
        else:
            began = time.perf_counter()
            label = self._alone_says(case.claim)
            spent_ms = 1000 * (time.perf_counter() - began)
            timing = Timing(first_token_ms=spent_ms, total_ms=spent_ms)
            answer = Answer(text=label, timing=timing)
        if on_text is not None:
            on_text(label)
        return Answer(
            text=label,
            citations=answer.citations,
            hits=answer.hits,
            check=answer.check,
            timing=answer.timing,
        )

    def _alone_says(self, claim: str) -> str:
        if isinstance(self._alone, ClaimJudge):
            return self._alone.labels([claim])[0]
        assert self._alone is not None, "without evidence somebody else has to know"
        return self._alone.asked(claim, None)


def _judge(spec: FactSpec) -> Judge:
    if spec.judge == "rule":
        return RuleJudge()
    if spec.judge == "generator":
        return open_engine_judge(spec.model)
    return open_verdict_model(Path(spec.model))


def _finder(spec: FactSpec) -> EvidenceFinder:
    embedder = open_named_embedder(spec.embedder, offline=True)
    kb = KnowledgeBase.open(Path(spec.kb), embedder=embedder)
    retriever = HybridRetriever(kb, embedder, RetrievalSettings(**spec.retrieval))
    return EvidenceFinder(retriever, embedder, passages=spec.passages)
