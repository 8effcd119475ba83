"""Widening a hit: what stands around a passage goes into the prompt with it.

A widened hit is a passage of its document like any other, only longer: its text stands
in the document between its offsets, so that a citation of any part of it resolves. It
keeps the id, the heading and the score of the passage that was found.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.config.retrieval import Widening
    from groundtune.core.values import Hit, Passage
    from groundtune.retrieve.index import KnowledgeBase

_REACH: dict[Widening, int] = {"neighbours": 1, "section": 3}
"""Passages that are added on each side, at most."""


def widen_hits(kb: KnowledgeBase, hits: Sequence[Hit], *, how: Widening) -> list[Hit]:
    """Widen each hit, best first.

    What a better hit has taken is not added to the next one, and a hit that lies
    wholly inside a better one is dropped. A hit whose document has changed since it
    was found stays as it is.

    Args:
        kb: Where the hits were found.
        hits: As a search returns them.
        how: "neighbours" adds the passage before and the one after; "section" those
            around it that stand below the same headings, up to three on each side.

    Raises:
        StoreError: A document or a passage is damaged.
    """
    if how == "none":
        return list(hits)
    widened: list[Hit] = []
    documents: dict[str, tuple[list[Passage], str]] = {}
    for hit in hits:
        name = hit.passage.document
        if name not in documents:
            documents[name] = _read(kb, name)
        passages, text = documents[name]
        taken = [h.passage for h in widened if h.passage.document == name]
        passage = _widen(hit.passage, passages, text, taken=taken, how=how)
        if passage is not None:
            widened.append(replace(hit, passage=passage))
    return widened


def _read(kb: KnowledgeBase, name: str) -> tuple[list[Passage], str]:
    """Passages and text of a document; nothing if it is gone by now."""
    try:
        return kb.passages(name), kb.document_text(name)
    except DataError:
        return [], ""


def _widen(
    passage: Passage,
    passages: Sequence[Passage],
    text: str,
    *,
    taken: Sequence[Passage],
    how: Widening,
) -> Passage | None:
    place = next((n for n, p in enumerate(passages) if p.id == passage.id), None)
    if place is None or text[passage.start : passage.end] != passage.text:
        return None if _is_inside(passage, taken) else passage
    if _is_inside(passage, taken):
        return None
    reach = _REACH[how]
    before = passages[max(0, place - reach) : place][::-1]
    after = passages[place + 1 : place + 1 + reach]
    start = min([passage.start, *(p.start for p in _fitting(passage, before, how))])
    end = max([passage.end, *(p.end for p in _fitting(passage, after, how))])
    for other in taken:
        if other.start <= passage.start:
            start = max(start, min(other.end, passage.start))
        else:
            end = min(end, max(other.start, passage.end))
    cut = text[start:end]
    left = len(cut) - len(cut.lstrip())
    cut = cut.strip()
    return replace(passage, start=start + left, end=start + left + len(cut), text=cut)


def _fitting(
    passage: Passage, others: Sequence[Passage], how: Widening
) -> Iterable[Passage]:
    """Those nearest to it that belong to it, up to the first that does not."""
    if how == "neighbours":
        return others
    return takewhile(lambda other: other.heading == passage.heading, others)


def _is_inside(passage: Passage, taken: Iterable[Passage]) -> bool:
    return any(t.start <= passage.start and passage.end <= t.end for t in taken)
