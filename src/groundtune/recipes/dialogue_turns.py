"""Which turns of labelled conversations are measured, and which passages are right.

The cases of a part, first turns put behind another conversation, and the passages of a
knowledge base that hold a case's evidence. Searching for them is `dialogue_evaluation`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from groundtune.core.errors import DataError
from groundtune.tasks.dialogue import turn_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import DialogueCase, Passage
    from groundtune.retrieve.index import KnowledgeBase

Part = Literal["dev", "test", "all"]
PARTS: tuple[Part, ...] = get_args(Part)
DEV_TENTHS = 4
"""Tenths of the documents, about, whose conversations are for choosing settings."""


def choose(
    cases: Sequence[DialogueCase], *, part: Part, limit: int | None, seed: int
) -> list[DialogueCase]:
    """The cases of a part, in file order; a document's are all in one part.

    Raises:
        DataError: None are left.
    """

    def drawn(name: str) -> int:
        return int(hashlib.sha256(f"{seed}:{name}".encode()).hexdigest(), 16)

    wanted = [
        case
        for case in cases
        if part == "all" or (drawn(group_of(case)) % 10 < DEV_TENTHS) == (part == "dev")
    ]
    if limit is not None and limit < len(wanted):
        kept = set(sorted((case.id for case in wanted), key=drawn)[:limit])
        wanted = [case for case in wanted if case.id in kept]
    if not wanted:
        raise DataError(
            f"no cases are in the part {part}", fix="use --part all, or more cases"
        )
    return wanted


def switch(cases: Sequence[DialogueCase], *, seed: int) -> list[DialogueCase]:
    """Each first turn, put behind a whole conversation about another document.

    What it replies to is then another topic, and what is right stays what it was.
    """
    rng = np.random.default_rng(seed)
    ends = [case for case in cases if turn_number(case) > 1]
    made: list[DialogueCase] = []
    for case in cases:
        others = [end for end in ends if end.source != case.source]
        if turn_number(case) == 1 and others:
            before = others[int(rng.integers(len(others)))]
            messages = (*before.messages, *case.messages)
            made.append(replace(case, id=f"{case.id}/switched", messages=messages))
    return made


class GoldTurns:
    """Which passages of a knowledge base are right for a case."""

    def __init__(self, base: KnowledgeBase) -> None:
        self._base = base
        self._known = {document.id for document in base.documents()}
        self._passages: dict[str, list[Passage]] = {}
        self._texts: dict[str, str] = {}

    def passages(self, case: DialogueCase) -> frozenset[str]:
        """Ids of the right passages; none where the base does not hold its evidence."""
        if case.source not in self._known:
            return frozenset()
        if case.source not in self._passages:
            self._passages[case.source] = self._base.passages(case.source)
            self._texts[case.source] = self._base.document_text(case.source)
        right: set[str] = set()
        for quote in case.evidence:
            start = self._texts[case.source].find(quote)
            if start >= 0:
                right |= _holding(
                    self._passages[case.source], start, start + len(quote)
                )
        return frozenset(right)


def _holding(passages: Sequence[Passage], start: int, end: int) -> set[str]:
    """Passages with half of a span or more, or else the one with most of it."""
    shares = {p.id: min(end, p.end) - max(start, p.start) for p in passages}
    most = max(shares.values(), default=0)
    if most <= 0:
        return set()
    least = min(most, (end - start) / 2)
    return {name for name, share in shares.items() if share >= least}


def group_of(case: DialogueCase) -> str:
    """The unit that is put into a part and resampled: the document, if it is known."""
    return case.group or case.source or case.id
