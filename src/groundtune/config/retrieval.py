"""How passages are found: the settings of retrieval. Searching itself is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from groundtune.core.errors import ConfigError

SearchMode = Literal["hybrid", "dense", "bm25"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """What a search does. Frozen and of JSON types: it stands in the run folder."""

    k: int = 3
    """Passages that a question gets."""
    mode: SearchMode = "hybrid"
    alpha: float = 0.5
    """Weight of the dense score in `hybrid`; BM25 has the rest."""
    candidates: int = 100
    """Passages that each of the two lists puts forward, at least `k`."""

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
        if self.candidates < self.k:
            raise ConfigError(
                f"candidates is {self.candidates}, k is {self.k}",
                fix="use at least k candidates",
                where="retrieval.candidates",
            )
