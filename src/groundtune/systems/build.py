"""A system described in JSON types becomes a system that runs.

The description is what a run folder keeps of each arm and what crosses to the process
that runs it; serving the winner is building it from the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundtune.augment.prompt import (
    PROMPT_VERSION,
    PromptBuilder,
    PromptStyle,
    Shot,
)
from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.values import Hit, Passage
from groundtune.retrieve.embed import open_named_embedder
from groundtune.retrieve.filter import parse_filter
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.narrow import Narrower
from groundtune.retrieve.query_adapter import read_query_adapter
from groundtune.retrieve.search import HybridRetriever
from groundtune.systems.arm import Given, KnowledgeSystem, Retrieved
from groundtune.systems.generators import open_generator
from groundtune.tasks.qa import MAX_ANSWER_TOKENS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.core.protocols import Embedder
    from groundtune.retrieve.query_adapter import QueryAdapter
    from groundtune.systems.arm import EvidenceSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec:
    """What a system is made of. JSON types only."""

    name: str
    model: str
    """Generator: a catalog name, a folder, or `URL#NAME`."""
    style: dict[str, Any]
    """A `PromptStyle` as `dataclasses.asdict` gives it."""
    kb: str = ""
    """Knowledge base to retrieve from; empty: no retrieval."""
    embedder: str = ""
    """Of the knowledge base, and for a style that reads sentences."""
    retrieval: dict[str, Any] = field(default_factory=dict[str, Any])
    """A `RetrievalSettings` as `dataclasses.asdict` gives it."""
    ranking: str = ""
    """File of a query adapter by which sentences are ranked; empty: none."""
    where: str = ""
    """Which documents may be found, as `retrieve.filter` describes; empty: all."""
    given: dict[str, list[dict[str, Any]]] | None = None
    """Passages by case id, in place of retrieval."""
    runtime: str = "openvino"
    max_tokens: int = MAX_ANSWER_TOKENS
    cache: str = ""
    """Model cache; empty: the person's own."""


def build_system(spec: SystemSpec) -> KnowledgeSystem:
    """Load everything that the spec names. No model is fetched from the network.

    Raises:
        GroundtuneError: A model or the knowledge base cannot be opened.
    """
    cache = Path(spec.cache) if spec.cache else None
    engine, template = open_generator(
        spec.model, prompt_version=PROMPT_VERSION, runtime=spec.runtime, cache=cache
    )
    style = read_style(spec.style)
    builder = PromptBuilder(template, engine.tokenizer, style=style)
    embedder: Embedder | None = None
    if spec.kb or (spec.given is not None and style.sentences):
        embedder = open_named_embedder(spec.embedder, cache=cache, offline=True)
    evidence: EvidenceSource | None = None
    if spec.given is not None:
        evidence = Given(read_given(spec.given))
    elif spec.kb:
        assert embedder is not None, "a knowledge base is searched with its embedder"
        settings = RetrievalSettings(**spec.retrieval)
        kb = KnowledgeBase.open(Path(spec.kb), embedder=embedder)
        where = parse_filter(spec.where) if spec.where.strip() else None
        retriever = HybridRetriever(kb, embedder, settings, where=where)
        evidence = Retrieved(retriever, settings.k)
    return KnowledgeSystem(
        spec.name,
        engine,
        builder,
        evidence=evidence,
        narrower=open_narrower(spec, embedder) if embedder else None,
        max_tokens=spec.max_tokens,
    )


def open_narrower(spec: SystemSpec, embedder: Embedder) -> Narrower:
    """What picks sentences for a system.

    Raises:
        StoreError: What was learned about ranking them cannot be read.
    """
    adapter: QueryAdapter | None = None
    if spec.ranking:
        adapter = read_query_adapter(
            Path(spec.ranking),
            embedder=embedder.name,
            fix="make what it belongs to again: the run, or the tuned model",
        )
    return Narrower(embedder.encode, adapter)


def read_style(raw: Mapping[str, Any]) -> PromptStyle:
    """The style that `dataclasses.asdict` turned into JSON types."""
    shots = [
        Shot(
            question=shot["question"],
            answer=shot["answer"],
            evidence=tuple(shot["evidence"]),
        )
        for shot in raw["shots"]
    ]
    return PromptStyle(
        name=raw["name"],
        with_evidence=raw["with_evidence"],
        closed_book=raw["closed_book"],
        shots=tuple(shots),
        lead=raw["lead"],
        # Runs of earlier versions read passages, and wrote what they liked.
        sentences=raw.get("sentences", 0),
        copies=raw.get("copies", False),
    )


def read_given(raw: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[Hit]]:
    """Passages by case id, as hits without a score."""
    return {
        case: [Hit(passage=Passage(**passage), score=0.0) for passage in passages]
        for case, passages in raw.items()
    }
