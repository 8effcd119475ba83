"""Questions from single sentences: which sentences are read, and by which rules.

Each rule is a pattern that a whole sentence must follow. What does not fit is left: a
question too few is made up for elsewhere, a bad one costs a reviewer's time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.core.values import Span
from groundtune.data.questions.drafts import one_line, words_of
from groundtune.data.questions.event_rules import EVENT_RULES
from groundtune.data.questions.howto_rules import HOWTO_RULES
from groundtune.data.questions.naming_rules import NAMING_RULES
from groundtune.data.questions.phrases import is_clean
from groundtune.data.questions.sentence import Sentence
from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.core.values import Block, Document
    from groundtune.data.questions.drafts import Draft

_MOST_SENTENCE_WORDS = 40
_RULES = (*EVENT_RULES, *NAMING_RULES, *HOWTO_RULES)


def from_sentences(document: Document, blocks: tuple[Block, ...]) -> Iterator[Draft]:
    """Drafts from the sentences of paragraphs and lists, in order.

    Args:
        document: Whose text it is.
        blocks: Its blocks, or one over all of it where the reader saw none.
    """
    for block in blocks:
        if block.kind not in ("paragraph", "list"):
            continue
        text = document.text[block.start : block.end]
        for start, part in _items(text, is_list=block.kind == "list"):
            for span in sentence_spans(part):
                place = block.start + start
                yield from _from_sentence(
                    document, Span(place + span.start, place + span.end)
                )


_ITEM = re.compile(r"^[ \t]*(?:[-*+\u2022]|\d+[.)])[ \t]+", re.MULTILINE)


def _items(text: str, *, is_list: bool) -> Iterator[tuple[int, str]]:
    """Where each part begins, and its text: the items of a list, or all of it."""
    if not is_list:
        yield 0, text
        return
    marks = list(_ITEM.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=False):
        yield mark.end(), text[mark.end() : end]


def _from_sentence(document: Document, span: Span) -> Iterator[Draft]:
    text = one_line(document.text[span.start : span.end])
    if not text.endswith(".") or not text[:1].isupper() or not is_clean(text):
        return
    if len(words_of(text)) > _MOST_SENTENCE_WORDS:
        return
    sentence = Sentence(document, span, text.removesuffix("."))
    for rule in _RULES:
        yield from rule(sentence)
