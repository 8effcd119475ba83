"""What was found, narrowed to the sentences nearest a question.

A small model reads a few sentences far better than a few passages, and sooner. Each
sentence is compared together with the headings of its passage: "It closes at six" is
about whatever they name. How near it is: the cosine, and a fifth of the share of the
question's words that it has, rare ones among the sentences counting for more. Names are
what vectors of a small embedder blur.

A sentence is a hit like any other: its text stands in the document between its offsets.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from groundtune.data.sentences import sentences_of
from groundtune.retrieve.arrange import stems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.values import Hit, Passage

    Floats = npt.NDArray[np.float32]

_WORDS = 0.2
"""Weight of shared words beside a cosine, chosen on training cases of two data sets."""
_KEPT = 8192
"""Sentences whose vectors are remembered."""


class Narrower:
    """Narrows hits with what an embedder encodes, and remembers it."""

    def __init__(self, encode: Callable[[Sequence[str]], Floats]) -> None:
        self._encode = encode
        self._known: OrderedDict[str, Floats] = OrderedDict()

    def nearest(
        self, question: str, hits: Sequence[Hit], *, sentences: int
    ) -> list[Hit]:
        """The sentences of hits that are nearest a question, nearest first.

        Args:
            question: As it was asked.
            hits: Passages, best first. Where they overlap, a sentence counts once.
            sentences: Most sentences.

        Returns:
            Sentences with their nearness as score; the hits themselves, where none of
            them holds a sentence.
        """
        found: dict[tuple[str, int], Hit] = {}
        for hit in hits:
            for one in sentences_of(hit.passage):
                found.setdefault((one.document, one.start), replace(hit, passage=one))
        if not found:
            return list(hits)
        nearness = self.nearness(question, [hit.passage for hit in found.values()])
        scored = [
            replace(hit, score=near)
            for hit, near in zip(found.values(), nearness, strict=True)
        ]
        return sorted(scored, key=lambda hit: -hit.score)[:sentences]

    def nearness(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """How near each passage, below its headings, is to a question."""
        texts = [_titled(passage) for passage in passages]
        asked_D, *vectors = self._vectors([question, *texts])
        shares = _shares(stems(question), [stems(text) for text in texts])
        return [
            float(asked_D @ one_D) + _WORDS * share
            for one_D, share in zip(vectors, shares, strict=True)
        ]

    def _vectors(self, texts: Sequence[str]) -> list[Floats]:
        found = {text: self._known.get(text) for text in texts}
        fresh = [text for text, vector in found.items() if vector is None]
        for text, vector_D in zip(fresh, self._encode(fresh), strict=True):
            found[text] = self._known[text] = vector_D
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return [vector_D for text in texts if (vector_D := found[text]) is not None]


def _shares(asked: set[str], texts: Sequence[set[str]]) -> list[float]:
    """The share of what is asked for that each text has, by weight of its rarity."""
    weight = {
        stem: math.log((len(texts) + 1) / (sum(stem in text for text in texts) + 0.5))
        for stem in asked
    }
    # Summed in order: a set's own differs from process to process.
    ordered = sorted(weight)
    total = sum(weight[stem] for stem in ordered) or 1.0
    return [
        sum(weight[stem] for stem in ordered if stem in text) / total for text in texts
    ]


def _titled(passage: Passage) -> str:
    return f"{passage.heading}: {passage.text}" if passage.heading else passage.text
