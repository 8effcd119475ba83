"""What was found, narrowed to the sentences nearest a question.

A small model reads a few sentences far better than a few passages, and sooner. Each
sentence is compared together with the headings of its passage: "It closes at six" is
about whatever they name. How near it is: the cosine, a fifth of the share of the
question's words that it has, rare ones among the sentences counting for more (names are
what vectors of a small embedder blur), and a tenth of how well its passage was rated.
Where cases taught which sentences such questions are about, the question's vector is
turned by what they taught (`query_adapter`).

A sentence is a hit like any other: its text stands in the document between its offsets.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from groundtune.data.sentences import sentences_of
from groundtune.retrieve.arrange import stems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from groundtune.core.values import Hit, Passage
    from groundtune.retrieve.query_adapter import QueryAdapter

    Floats = npt.NDArray[np.float32]

NET = 5
"""Passages whose sentences are compared: more than are read whole, for what is read
does not grow with them."""
_WORDS = 0.2
"""Weight of shared words beside a cosine, chosen on training cases of two data sets."""
_PASSAGE = 0.1
"""Weight of a passage's rating, from 0 for the last of those found to 1 for the first;
chosen in the same way."""
_KEPT = 8192
"""Sentences whose vectors are remembered."""


def sentences_among(hits: Sequence[Hit]) -> list[Hit]:
    """Each sentence of the hits, rated as its passage is; in order of first appearance.

    Where passages overlap, a sentence counts once.
    """
    found: dict[tuple[str, int], Hit] = {}
    for hit in hits:
        for one in sentences_of(hit.passage):
            found.setdefault((one.document, one.start), replace(hit, passage=one))
    return list(found.values())


class Narrower:
    """Narrows hits with what an embedder encodes, and remembers it."""

    def __init__(
        self,
        encode: Callable[[Sequence[str]], Floats],
        adapter: QueryAdapter | None = None,
    ) -> None:
        self._encode = encode
        self._adapter = adapter
        self._known: OrderedDict[str, Floats] = OrderedDict()

    def adapted(self, adapter: QueryAdapter) -> Narrower:
        """One that turns questions; it shares what is remembered."""
        made = Narrower(self._encode, adapter)
        made._known = self._known
        return made

    def nearest(
        self, question: str, hits: Sequence[Hit], *, sentences: int
    ) -> list[Hit]:
        """The sentences of hits that are nearest a question, nearest first.

        Args:
            question: As it was asked.
            hits: Passages, best first.
            sentences: Most sentences.

        Returns:
            Sentences with their nearness as score; the hits themselves, where none of
            them holds a sentence.
        """
        found = sentences_among(hits)
        if not found:
            return list(hits)
        nearness = self.nearness(question, [hit.passage for hit in found])
        rated = _rated([hit.score for hit in found])
        scored = [
            replace(hit, score=near + _PASSAGE * share)
            for hit, near, share in zip(found, nearness, rated, strict=True)
        ]
        return sorted(scored, key=lambda hit: -hit.score)[:sentences]

    def nearness(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """How near each passage, below its headings, is to a question."""
        texts = [titled(passage) for passage in passages]
        vectors_N_D = self.vectors([question, *texts])
        asked_D = vectors_N_D[0]
        if self._adapter is not None:
            asked_D = self._adapter.apply(vectors_N_D[:1])[0]
        shares = _shares(stems(question), [stems(text) for text in texts])
        return [
            float(asked_D @ one_D) + _WORDS * share
            for one_D, share in zip(vectors_N_D[1:], shares, strict=True)
        ]

    def vectors(self, texts: Sequence[str]) -> Floats:
        """A row of length 1 for each text, as the embedder gives it; remembered."""
        found = {text: self._known.get(text) for text in texts}
        fresh = [text for text, vector in found.items() if vector is None]
        for text, vector_D in zip(fresh, self._encode(fresh), strict=True):
            found[text] = self._known[text] = vector_D
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return np.stack([row for text in texts if (row := found[text]) is not None])


def titled(passage: Passage) -> str:
    """A sentence as it is compared: below the headings of its passage."""
    return f"{passage.heading}: {passage.text}" if passage.heading else passage.text


def _rated(scores: Sequence[float]) -> list[float]:
    """Scores between the lowest, 0, and the highest, 1; all 0 where they are alike."""
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 0.0 for score in scores]


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
