"""How a generator is trained to write: defaults of each task that does.

A task that asks for a language or a manner that the model hardly has wants more than
reading does: an adapter on every layer, and several epochs. What was measured is in
`docs/decisions/0017`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.config.training import TrainSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITING: Mapping[str, TrainSettings] = {
    "translation": TrainSettings(
        rank=64,
        alpha=64,
        frozen_share=0.0,
        learning_rate=1e-3,
        epochs=2.0,
        max_tokens=1_500_000,
        evaluations=6,
    ),
    "support": TrainSettings(
        batch_tokens=2048,
        epochs=2.0,
        max_tokens=1_500_000,
        pack_tokens=512,
        evaluations=5,
    ),
    "summarization": TrainSettings(
        rank=16,
        alpha=32,
        epochs=2.0,
        max_tokens=1_500_000,
        evaluations=5,
    ),
}
"""By task."""

MOST_NEW_TOKENS = {"translation": 256, "support": 512, "summarization": 256}
"""Bound of an answer, by task; the longest one taught bounds it further."""

LONGEST_ROW = 2048
"""Tokens of a conversation with its reply, or a text with its translation: longer ones
are left out, for an answer is never cut."""

MOST_LEFT_OUT = 0.01
"""Share of rows: above it, leaving them out is an error."""
