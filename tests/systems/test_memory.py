"""Answers of the most similar training case."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from groundtune.systems.memory import nearest_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.protocols import Embedder


class Letters:
    """Texts as counts of letters."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        counts = np.zeros((len(texts), 128), np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                counts[row, ord(letter)] += 1
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_the_answer_is_that_of_the_nearest_and_of_equals_the_first() -> None:
    found = nearest_answers(
        ["where is my card", "a dog"] * 300,
        known=["the dog", "my card is where", "where my card is"],
        answers=["der Hund", "hier", "dort"],
        embedder=cast("Embedder", Letters()),
    )

    assert found == ["hier", "der Hund"] * 300
