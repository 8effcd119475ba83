"""Claims with evidence to the pairs that a verdict model learns from.

For a claim that is decided: its quotes, and what was retrieved of the same document
where that holds a quote. For every claim: documents retrieved that do not decide it.
And claims turned round by rule, from training claims alone: a model is else free to
learn which claims are usually true, and never to look at the evidence.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from groundtune.core.values import LabelCase
from groundtune.data.opposites import turned
from groundtune.tasks.fact_check import SENTENCES, claim_text, pair_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from groundtune.core.values import FactCase, FactLabel
    from groundtune.data.claims import DocumentEvidence
    from groundtune.recipes.checking.reading import Claims
    from groundtune.systems.fact_checker import Evidence

_OPPOSITE: dict[FactLabel, FactLabel] = {
    "SUPPORTED": "REFUTED",
    "REFUTED": "SUPPORTED",
}
UNDECIDED_DOCUMENTS = 1
"""Retrieved documents a claim that are taught to decide nothing."""
_SAFE_TO_UNDO = frozenset({"direction", "negation"})
"""Of a refuted claim, what may be turned round into a supported one: another number is
seldom the right one."""


def pair_lessons(claims: Claims, *, is_turned: bool) -> tuple[LabelCase, ...]:
    """Pairs of claim and evidence, each once, with the label that they should get.

    Args:
        claims: Of one side.
        is_turned: Whether claims turned round by rule are added: for training only.
    """
    pairs: dict[str, LabelCase] = {}
    for case in claims.cases:
        gold, found = claims.gold[case.id], claims.found[case.id]
        for text, label in _pairs(case, gold, found, is_turned=is_turned):
            lesson = LabelCase(
                id=str(len(pairs)), text=text, label=label, group=case.group
            )
            pairs.setdefault(text, lesson)
    return tuple(pairs.values())


def claim_lessons(cases: Iterable[FactCase]) -> tuple[LabelCase, ...]:
    """Claims without evidence, for the arm that has none."""
    return tuple(
        LabelCase(
            id=case.id, text=claim_text(case.claim), label=case.label, group=case.group
        )
        for case in cases
    )


def quotes_of(gold: Sequence[DocumentEvidence]) -> tuple[str, ...]:
    """The quotes of the first document that decides a claim; none where unknown."""
    return next((one.quotes for one in gold if one.decides and one.quotes), ())


def _pairs(
    case: FactCase,
    gold: Sequence[DocumentEvidence],
    found: Sequence[Evidence],
    *,
    is_turned: bool,
) -> Iterator[tuple[str, FactLabel]]:
    deciding = {one.document for one in gold if one.decides and one.document}
    looked_at = {one.document for one in gold if not one.decides}
    is_decided = case.label != "NOT_ENOUGH_INFO"
    quoted = [one.quotes[:SENTENCES] for one in gold if one.decides and one.quotes]
    picked = [
        one.texts
        for one in found
        if one.document in deciding and _holds_quote(one, gold)
    ]
    if is_decided and not deciding and not quoted:
        # Nobody says where: most likely it is the document that fits best.
        picked = [one.texts for one in found[:1]]
        deciding = {one.document for one in found[:1]}
    for texts in (*quoted, *picked):
        yield pair_text(case.claim, texts), case.label
    for texts in quoted or picked if is_turned and is_decided else ():
        for other in turned(case.claim)[:1]:
            if case.label == "SUPPORTED" or other.how in _SAFE_TO_UNDO:
                yield pair_text(other.text, texts), _OPPOSITE[case.label]
    open_ones = [one for one in found if one.document not in deciding]
    if deciding or looked_at:
        # Elsewhere nobody looked, but a claim is seldom decided by two documents.
        others = [one for one in open_ones if one.document not in looked_at]
        kept = {one.document for one in others[:UNDECIDED_DOCUMENTS]} | looked_at
        open_ones = [one for one in open_ones if one.document in kept]
    for one in open_ones:
        # Quotes are short: were all that decides nothing long, length would tell.
        is_short = _is_even(case.claim + one.document)
        texts = (one.best,) if is_short else one.texts
        yield pair_text(case.claim, texts), "NOT_ENOUGH_INFO"


def _is_even(text: str) -> bool:
    """Of two kinds the one that a text is dealt; the same in every run."""
    return zlib.crc32(text.encode()) % 2 == 0


def _holds_quote(evidence: Evidence, gold: Sequence[DocumentEvidence]) -> bool:
    """Whether a deciding sentence is among those that were picked."""
    quotes = [
        quote
        for one in gold
        if one.document == evidence.document
        for quote in one.quotes
    ]
    if not quotes:
        return True  # only the document is known
    return any(
        quote in text or text in quote for quote in quotes for text in evidence.texts
    )
