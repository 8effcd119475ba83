"""What labelled cases give without training: the floor under every tuned model.

The most frequent label, and a list of the names seen in training. Nothing here knows a
model or a knowledge base; baselines that compare texts stand in `neighbours`. They live
among the systems because they do what a system does: answer test cases, and be measured
on them beside the arms.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundtune.measure.entities import OUTSIDE, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from groundtune.core.values import EntityCase, LabelCase


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPredictions:
    """What a system says about cases, in their order. Axes: N cases, L labels."""

    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    scores_N_L: npt.NDArray[np.float32]
    """How much speaks for each label; the highest is predicted, the first of equals."""

    @classmethod
    def of(
        cls, scores_N_L: npt.NDArray[np.float32], labels: Sequence[str]
    ) -> LabelPredictions:
        """Predict the label of the highest score."""
        return cls(
            labels=tuple(labels),
            predicted=tuple(labels[int(i)] for i in scores_N_L.argmax(axis=1)),
            scores_N_L=scores_N_L,
        )


def majority(
    train: Sequence[LabelCase], *, labels: Sequence[str], count: int
) -> LabelPredictions:
    """Give every case the most frequent label of `train`.

    Args:
        train: At least one case.
        labels: Order of the columns of the scores, which are shares of `train`.
        count: How many cases to predict.
    """
    tally = Counter(case.label for case in train)
    shares_L = np.array([tally[name] / len(train) for name in labels], np.float32)
    return LabelPredictions.of(np.tile(shares_L, (count, 1)), labels)


def majority_tag(train: Iterable[EntityCase]) -> str:
    """The most frequent tag of a word: nearly always `O`, which finds nothing."""
    tally = Counter(tag for case in train for tag in case.tags)
    return max(sorted(tally), key=tally.__getitem__, default=OUTSIDE)


class Gazetteer:
    """Names seen in training, found again word for word, the longest first.

    Words are compared without regard to case. A sequence of words that named several
    types is given the commonest, and one that stood for no entity more often than for
    one is left out: else `May` and `Apple` would be names everywhere.
    """

    def __init__(self, train: Iterable[EntityCase]) -> None:
        cases = [(_key(case.tokens), spans(case.tags)) for case in train]
        types: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for words, entities in cases:
            for start, end, type_ in entities:
                types[words[start:end]][type_] += 1
        self._longest = max((len(name) for name in types), default=0)
        # How often each name occurs at all, as an entity or not.
        seen = Counter(
            words[start:end]
            for words, _ in cases
            for start, end in self._windows(len(words))
            if words[start:end] in types
        )
        self._types = {
            # Of types that are equally common the first by letters: runs must agree.
            name: min(tally, key=lambda type_: (-tally[type_], type_))
            for name, tally in types.items()
            if 2 * tally.total() >= seen[name]
        }

    def __len__(self) -> int:
        """How many names it knows."""
        return len(self._types)

    def predict(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """Tag each word with BIO, from left to right."""
        words = _key(tokens)
        tags = [OUTSIDE] * len(words)
        place = 0
        while place < len(words):
            end = self._end_of_name(words, place)
            if end is None:
                place += 1
                continue
            type_ = self._types[words[place:end]]
            inside = [f"I-{type_}"] * (end - place - 1)
            tags[place:end] = [f"B-{type_}", *inside]
            place = end
        return tuple(tags)

    def _end_of_name(self, words: tuple[str, ...], start: int) -> int | None:
        """One past the last word of the longest name that begins here."""
        furthest = min(len(words), start + self._longest)
        return next(
            (
                end
                for end in range(furthest, start, -1)
                if words[start:end] in self._types
            ),
            None,
        )

    def _windows(self, count: int) -> Iterable[tuple[int, int]]:
        return (
            (start, end)
            for start in range(count)
            for end in range(start + 1, min(count, start + self._longest) + 1)
        )


def _key(tokens: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in tokens)
