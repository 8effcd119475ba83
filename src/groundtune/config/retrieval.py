"""How passages are found: the settings of retrieval. Searching itself is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from groundtune.core.errors import ConfigError

SearchMode = Literal["hybrid", "dense", "bm25"]
Widening = Literal["none", "neighbours", "section"]
Expansion = Literal["none", "parts", "feedback"]
Order = Literal["score", "position"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """What a search does. Frozen and of JSON types: it stands in the run folder."""

    k: int = 3
    """Passages that a question gets."""
    mode: SearchMode = "hybrid"
    alpha: float = 0.55
    """Weight of the dense score in `hybrid`; BM25 has the rest."""
    candidates: int = 200
    """Passages that each of the two lists puts forward, at least `k`."""
    mmr: float | None = None
    """Weight of relevance in maximal marginal relevance: 1 ranks by relevance alone,
    less prefers passages unlike those above them; None: off."""
    widen: Widening = "none"
    """What is added around a hit: the passages beside it, or its section."""
    expand: Expansion = "none"
    """More queries than the question: each of its parts, or the question with words
    that the first hits share."""
    dedupe: bool = False
    """Whether a hit is dropped that repeats a better one."""
    centre: int = 0
    """Sentences that stay on each side of a hit's best match; 0: the whole hit."""
    order: Order = "score"
    """In which order hits stand: by score, or as in their documents."""
    rerank: str = ""
    """Cross-encoder that reads the best again: a model folder; empty: off."""
    query_adapter: str = ""
    """Learned step on the vectors of queries: the name of one that `optimize` put into
    the knowledge base; empty: off."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(
                f"k is {self.k}", fix="use at least 1 passage", where="retrieval.k"
            )
        if self.mode not in get_args(SearchMode):
            raise ConfigError(
                f"unknown mode {self.mode!r}",
                fix=f"use one of {', '.join(get_args(SearchMode))}",
                where="retrieval.mode",
            )
        if not 0.0 <= self.alpha <= 1.0:
            raise ConfigError(
                f"alpha is {self.alpha}",
                fix="use 0 (BM25 alone) to 1 (dense alone)",
                where="retrieval.alpha",
            )
        if self.mmr is not None and not 0.0 <= self.mmr <= 1.0:
            raise ConfigError(
                f"mmr is {self.mmr}",
                fix="use 0 (unlike each other) to 1 (relevance alone), or leave it out",
                where="retrieval.mmr",
            )
        if self.widen not in get_args(Widening):
            raise ConfigError(
                f"unknown widening {self.widen!r}",
                fix=f"use one of {', '.join(get_args(Widening))}",
                where="retrieval.widen",
            )
        for field, known in (("expand", Expansion), ("order", Order)):
            if getattr(self, field) not in get_args(known):
                raise ConfigError(
                    f"unknown value {getattr(self, field)!r} of {field}",
                    fix=f"use one of {', '.join(get_args(known))}",
                    where=f"retrieval.{field}",
                )
        if self.centre < 0:
            raise ConfigError(
                f"centre is {self.centre}",
                fix="use 0 (whole hits) or more",
                where="retrieval.centre",
            )
        if self.candidates < self.k:
            raise ConfigError(
                f"candidates is {self.candidates}, k is {self.k}",
                fix="use at least k candidates",
                where="retrieval.candidates",
            )
