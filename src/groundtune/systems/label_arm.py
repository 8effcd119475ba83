"""The arms of label tasks: what a tuned encoder says, what neighbours vote, or both.

| arm | says |
| --- | --- |
| plain | the label whose own words are most like the text |
| rag | what the most similar labelled cases vote |
| tuned | the fine-tuned encoder |
| both | the encoder's probabilities and the votes, mixed by a weight |

A text is one row of shares, a sentence a row a word; so sentiment, classification and
named entities are one system.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from groundtune.core.values import Answer, EntityCase, Hit, LabelCase, Timing
from groundtune.data.frozen import read_frozen
from groundtune.measure.calibration import probabilities
from groundtune.measure.entities import TAG_END
from groundtune.retrieve.embed import open_named_embedder
from groundtune.systems.baselines import Gazetteer
from groundtune.systems.labeller import open_labeller
from groundtune.systems.neighbours import (
    LabelWords,
    Neighbours,
    Voting,
    training_hit,
)
from groundtune.systems.word_neighbours import NamedTypes, WordNeighbours, WordStates
from groundtune.tasks import classification, ner, sentiment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from groundtune.core.protocols import Embedder
    from groundtune.systems.labeller import Labeller

    Floats = npt.NDArray[np.float32]
    Case = LabelCase | EntityCase

SHARPNESS_OF_WORDS = 20.0
"""By how much a difference in cosine speaks for a label of `LabelWords`."""
_SHOWN = 3
"""Neighbours that stand in a row."""

WORDINGS = ("described", "about", "name")
"""Ways to say a label in words; plain takes what does best on dev cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpec:
    """What an arm of a label task is made of. JSON types only."""

    name: str
    task: str
    labels: tuple[str, ...]
    embedder: str = ""
    wording: str = ""
    """One of `WORDINGS`; empty: labels' own words say nothing."""
    threshold: float = 0.0
    """For words: what is less like every type is none."""
    memory: str = ""
    """File of labelled cases that vote; empty: none do."""
    k: int = 0
    """Neighbours that vote; for words 0 stands for names found again as they were."""
    sharpness: float = 0.0
    model: str = ""
    """Folder of a tuned encoder; empty: none."""
    weight: float = 1.0
    """Of the votes, where there is a model as well."""

    @property
    def is_words(self) -> bool:
        """Whether words are labelled, rather than whole texts."""
        return self.task == ner.NAME


class Source(Protocol):
    """What speaks for labels, of texts or of the words of sentences."""

    def shares(self, asked: Sequence[Any]) -> list[Floats]:
        """How much speaks for each label: `(1, L)` a text, `(W, L)` a sentence."""
        ...


class WordedLabels:
    """The words of the labels themselves."""

    def __init__(
        self, labels: Sequence[str], *, task: str, wording: str, embedder: Embedder
    ) -> None:
        self._embedder = embedder
        self._words = LabelWords(
            labels,
            embedder=embedder,
            described=lambda label: in_words(label, task, wording),
        )

    def shares(self, asked: Sequence[str]) -> list[Floats]:
        """See `Source`."""
        scores_N_L = self._words.scores(self._embedder.encode(asked))
        return rows_of(as_shares(SHARPNESS_OF_WORDS * scores_N_L))


class Voters:
    """The most similar labelled texts."""

    def __init__(self, neighbours: Neighbours, embedder: Embedder) -> None:
        self._neighbours = neighbours
        self._embedder = embedder
        self._read_N_D = np.zeros((0, embedder.dim), np.float32)

    def shares(self, asked: Sequence[str]) -> list[Floats]:
        """See `Source`."""
        self._read_N_D = self._embedder.encode(asked)
        return rows_of(self._neighbours.shares(self._read_N_D))

    def nearest(self) -> list[tuple[int, float]]:
        """Places of the labelled cases most like the text voted on last, with cosine.

        That text is not embedded a second time.
        """
        return self._neighbours.nearest(self._read_N_D[-1], count=_SHOWN)


class KnownNames:
    """Names of the labelled sentences, found again as they stood there."""

    def __init__(self, train: Sequence[EntityCase], *, labels: Sequence[str]) -> None:
        self._gazetteer = Gazetteer(train)
        self._place = {tag: number for number, tag in enumerate(labels)}

    def shares(self, asked: Sequence[Sequence[str]]) -> list[Floats]:
        """See `Source`."""
        all_L_L = np.eye(len(self._place), dtype=np.float32)
        found: list[Floats] = []
        for words in asked:
            tags = [self._place[tag] for tag in self._gazetteer.predict(words)]
            found.append(np.array(all_L_L[np.array(tags, np.int64)], np.float32))
        return found


class Tuned:
    """A fine-tuned encoder, with the temperature that it was given."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller

    def shares(self, asked: Sequence[Any]) -> list[Floats]:
        """See `Source`."""
        if self._labeller.is_words:
            return [as_shares(found) for found in self._labeller.word_logits(asked)]
        return rows_of(as_shares(self._labeller.text_logits(asked)))


class LabelSystem:
    """An arm of a label task, as a spec describes it."""

    def __init__(self, spec: LabelSpec) -> None:
        """Load everything that the spec names. Nothing is fetched from the network.

        Raises:
            GroundtuneError: A model or the labelled cases cannot be opened.
        """
        self.name = spec.name
        self.spec = spec
        self._memory: Sequence[Case] = ()
        self._voters: Voters | None = None
        self._sources: list[tuple[Source, float]] = []
        if spec.model:
            labeller = open_labeller(spec.model)
            share = 1 - spec.weight if spec.memory else 1.0
            self._sources.append((Tuned(labeller), share))
        if spec.memory and (not spec.model or spec.weight):
            share = spec.weight if spec.model else 1.0
            self._sources.append((self._opened_memory(), share))
        if spec.wording:
            self._sources.append((self._opened_words(), 1.0))

    def shares(self, cases: Sequence[Case]) -> list[Floats]:
        """How much speaks for each label: `(1, L)` a text, `(W, L)` a sentence."""
        asked = asked_of(cases)
        return mix([(source.shares(asked), share) for source, share in self._sources])

    def answer(
        self, case: Case, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """Label one case; a sentence is answered with a tag a word, in one text."""
        began = time.perf_counter()
        shares_W_L = self.shares([case])[0]
        said = TAG_END.join(
            self.spec.labels[int(best)] for best in shares_W_L.argmax(axis=1)
        )
        total_ms = 1000 * (time.perf_counter() - began)
        if on_text is not None:
            on_text(said)
        return Answer(
            text=said,
            hits=self._hits(),
            confidence=_sure(shares_W_L),
            timing=Timing(first_token_ms=total_ms, total_ms=total_ms),
        )

    def _hits(self) -> tuple[Hit, ...]:
        """The nearest labelled texts, to be shown beside the answer."""
        if self._voters is None:
            return ()
        found: list[Hit] = []
        for place, cosine in self._voters.nearest():
            near = self._memory[place]
            assert isinstance(near, LabelCase), "texts are voted on by texts"
            text = f"{near.text} → {near.label}"
            found.append(training_hit(near.id, place, text=text, cosine=cosine))
        return tuple(found)

    def _opened_memory(self) -> Source:
        spec = self.spec
        self._memory = read_memory(spec)
        if spec.is_words:
            train = [case for case in self._memory if isinstance(case, EntityCase)]
            if not spec.k:
                return KnownNames(train, labels=spec.labels)
            return WordNeighbours(
                train,
                labels=spec.labels,
                states=WordStates(spec.embedder),
                voting=Voting(spec.k, spec.sharpness),
            )
        embedder = open_named_embedder(spec.embedder, offline=True)
        neighbours = Neighbours(
            [case for case in self._memory if isinstance(case, LabelCase)],
            labels=spec.labels,
            embedder=embedder,
            voting=Voting(spec.k, spec.sharpness),
        )
        self._voters = Voters(neighbours, embedder)
        return self._voters

    def _opened_words(self) -> Source:
        spec = self.spec
        embedder = open_named_embedder(spec.embedder, offline=True)
        if spec.is_words:
            return NamedTypes(spec.labels, embedder=embedder, threshold=spec.threshold)
        return WordedLabels(
            spec.labels, task=spec.task, wording=spec.wording, embedder=embedder
        )


def as_shares(logits_W_L: Floats) -> Floats:
    """Probabilities of labels, a row a text or word."""
    return probabilities(logits_W_L).astype(np.float32)


def mix(parts: Sequence[tuple[Sequence[Floats], float]]) -> list[Floats]:
    """Shares of several sources for the same cases, each with its weight."""
    weights = np.array([weight for _, weight in parts], np.float32)
    return [
        np.tensordot(weights, np.stack(rows), axes=1).astype(np.float32)
        for rows in zip(*(shares for shares, _ in parts), strict=True)
    ]


def read_memory(spec: LabelSpec) -> Sequence[Case]:
    """The labelled cases of a spec.

    Raises:
        DataError: The file is gone, or not one of cases.
    """
    path = Path(spec.memory)
    if spec.is_words:
        return read_frozen(path, EntityCase)
    return read_frozen(path, LabelCase)


def in_words(label: str, task: str, wording: str) -> str:
    """A label as an embedder may read it; `wording` is one of `WORDINGS`."""
    if wording == "name":
        return label
    task_words = sentiment if task == sentiment.NAME else classification
    said = task_words.described(label)
    return f"This is about {said}." if wording == "about" else said


def _sure(shares_W_L: Floats) -> float | None:
    """The share of what is said, the mean over the words of a sentence."""
    return float(shares_W_L.max(axis=1).mean()) if shares_W_L.size else None


def asked_of(cases: Sequence[Case]) -> list[Any]:
    """The texts of cases, or the words of their sentences."""
    return [
        case.tokens if isinstance(case, EntityCase) else case.text for case in cases
    ]


def rows_of(shares_N_L: Floats) -> list[Floats]:
    """A row for each text, `(1, L)` each."""
    return [shares_L[np.newaxis] for shares_L in shares_N_L]
