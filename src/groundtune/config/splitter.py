"""Settings of the splitter: how documents are cut into passages.

Describes only; `data.splitter` does the cutting.
"""

from __future__ import annotations

from dataclasses import dataclass

from groundtune.core.errors import ConfigError

SPLITTER_VERSION = "s1"
"""Bump when the same document and settings give other passages: ids change with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitterSettings:
    """How large a passage is. Lengths are tokens of the embedder's tokenizer.

    Neighbouring blocks are packed until `target` would be passed. No passage has more
    than `maximum` tokens. A block below `minimum` is joined to a neighbour even past
    `target`, as long as `maximum` holds, because a passage of a few words ranks well
    and tells nothing.
    """

    target: int = 200
    maximum: int = 250
    """Below the 256 that small embedders see, two of which are special tokens."""
    minimum: int = 50
    overlap_sentences: int = 0
    """Sentences of the passage before, in the same section, that are repeated."""
    version: str = SPLITTER_VERSION

    def __post_init__(self) -> None:
        if self.maximum < 8:
            raise ConfigError(
                f"maximum is {self.maximum}",
                fix="use at least 8 tokens",
                where="splitter.maximum",
            )
        if not 1 <= self.target <= self.maximum:
            raise ConfigError(
                f"target is {self.target}, maximum is {self.maximum}",
                fix="use 1 <= target <= maximum",
                where="splitter.target",
            )
        if not 0 <= self.minimum <= self.target:
            raise ConfigError(
                f"minimum is {self.minimum}, target is {self.target}",
                fix="use 0 <= minimum <= target",
                where="splitter.minimum",
            )
        if self.overlap_sentences < 0:
            raise ConfigError(
                f"overlap_sentences is {self.overlap_sentences}",
                fix="use 0 or more",
                where="splitter.overlap_sentences",
            )
