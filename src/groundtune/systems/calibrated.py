"""A system that answers only where labelled cases say that it may.

It wraps any system; what an answer's signals are worth was fitted by
`recipes.calibrate`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from groundtune.core.protocols import Comparer
from groundtune.generate.confidence import answer_signals
from groundtune.tasks.qa import NOT_IN_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.core.protocols import System
    from groundtune.core.values import Answer, QaCase
    from groundtune.generate.confidence import Confidence


class CalibratedSystem:
    """See `core.protocols.System`."""

    def __init__(
        self, system: System, confidence: Confidence, *, threshold: float
    ) -> None:
        """Wrap a system.

        Args:
            system: What answers.
            confidence: How sure to be of its answers.
            threshold: Answers of less confidence than this are withheld.
        """
        self._system = system
        self._confidence = confidence
        self._threshold = threshold

    @property
    def name(self) -> str:
        """That of the system itself."""
        return self._system.name

    def answer(
        self, case: QaCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """See `System.answer`.

        What was streamed to `on_text` may be withheld in the end: the answer that is
        returned counts.
        """
        made = self._system.answer(case, on_text=on_text)
        if made.abstained:
            return replace(made, confidence=0.0)
        compare = self._system.likeness if isinstance(self._system, Comparer) else None
        signals = answer_signals(case.question, made, likeness=compare)
        sure = self._confidence.of(signals)
        if sure >= self._threshold:
            return replace(made, confidence=sure)
        return replace(
            made,
            text=NOT_IN_DOCUMENTS,
            citations=(),
            unsupported=(),
            abstained=True,
            reason=f"confidence {sure:.2f}, and {self._threshold:.2f} is asked for",
            confidence=sure,
        )
