"""Answers of the most similar solved case: no model writes anything.

For translation this is a translation memory, for customer support the answer to the
nearest question. It is what a tuned model has to beat to be worth keeping, and what the
arms of tasks that write retrieve. Axis suffixes: N cases, T solved cases, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.protocols import Embedder

_BLOCK = 512
"""Texts compared with all solved cases at once."""


class Memory:
    """What was asked before, found again by likeness."""

    def __init__(self, known: Sequence[str], *, embedder: Embedder) -> None:
        """Embed what was asked.

        Args:
            known: At least one text.
            embedder: Likeness is the cosine of its vectors.
        """
        self._embedder = embedder
        self._known_T_D = embedder.encode(known)

    def nearest(
        self, asked: Sequence[str], *, count: int = 1
    ) -> list[list[tuple[int, float]]]:
        """Places of the most similar known texts with their cosine, best first.

        Of equals the one that comes first is taken.
        """
        asked_N_D = self._embedder.encode(asked)
        found: list[list[tuple[int, float]]] = []
        for start in range(0, len(asked_N_D), _BLOCK):
            likeness_N_T = asked_N_D[start : start + _BLOCK] @ self._known_T_D.T
            for likeness_T in likeness_N_T:
                best = _largest(likeness_T, count)
                found.append([(int(place), float(likeness_T[place])) for place in best])
        return found


def nearest_answers(
    asked: Sequence[str],
    *,
    known: Sequence[str],
    answers: Sequence[str],
    embedder: Embedder,
) -> list[str]:
    """For each text the answer of the known text that is most like it.

    Args:
        asked: What to answer.
        known: What was asked in training, at least one text,
        answers: and what was answered.
        embedder: Likeness is the cosine of its vectors.
    """
    nearest = Memory(known, embedder=embedder).nearest(asked)
    return [answers[hits[0][0]] for hits in nearest]


def _largest(likeness_T: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest values; one is found without sorting all."""
    if count == 1:
        return np.array([likeness_T.argmax()])
    return np.argsort(-likeness_T, kind="stable")[:count]
