"""Answers taken over from the most similar training case: no model writes anything.

For translation this is a translation memory, for customer support the answer to the
nearest question. It is what a tuned model has to beat to be worth keeping. Axis
suffixes: N cases, T training cases, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.protocols import Embedder

_BLOCK = 512
"""Texts compared with all training cases at once."""


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
        embedder: Likeness is the cosine of its vectors; of equals the first is taken.
    """
    # All at once, so that the embedder sorts and fills its batches once.
    vectors = embedder.encode([*known, *asked])
    known_T_D, asked_N_D = vectors[: len(known)], vectors[len(known) :]
    nearest: list[int] = []
    for start in range(0, len(asked_N_D), _BLOCK):
        likeness_N_T = asked_N_D[start : start + _BLOCK] @ known_T_D.T
        nearest += [int(place) for place in np.argmax(likeness_N_T, axis=1)]
    return [answers[place] for place in nearest]
