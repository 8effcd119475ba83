"""A grammar whose only sentences are runs of words of given texts.

A model bound to it can answer nothing that the texts do not say, but may say that they
do not hold the answer, and cite by number. It is an EBNF that engines with constrained
decoding take: a rule for each word, which may end the answer or go on to the next word
of its text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_AROUND = ".,;:!?\"'()[]\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026"
"""What stands around a word and is no part of an answer that begins or ends there."""
_ASKED = re.compile(r"\w+")


class _Word(NamedTuple):
    before: str
    itself: str
    after: str


def span_grammar(
    texts: Sequence[str], *, question: str = "", otherwise: str = ""
) -> str:
    """The grammar of all runs of words of one of the texts; empty without a word.

    A run may be followed by the number of a text, as in `12 crowns [1]`.

    Args:
        texts: What may be copied from, in the order of their numbers.
        question: No run begins with a word of it, unless all words are: an answer
            that repeats the question says nothing.
        otherwise: What may be said instead; empty: nothing.

    Examples:
        >>> print(span_grammar(["It costs 12 crowns."], question="What does it cost?"))
        root ::= " "? (run mark?)
        run ::= w1 | w2 | w3
        mark ::= " [1]"
        w0 ::= "It" (" " w1)?
        w1 ::= "costs" (" " w2)?
        w2 ::= "12" (" " w3)?
        w3 ::= "crowns"
    """
    asked = set(_ASKED.findall(question.casefold()))
    rules: list[str] = []
    starts: list[str] = []
    repeating: list[str] = []
    number = 0
    for text in texts:
        words = _words(text)
        for place, word in enumerate(words):
            name, rest = f"w{number}", ""
            if place + 1 < len(words):
                rest = f" ({_literal(word.after + ' ')} w{number + 1})"
            number += 1
            if not word.itself:  # a dash: never first, never last
                rules.append(f"{name} ::= {_literal(word.before)}{rest}")
                continue
            rest += "?" if rest else ""
            rules.append(f"{name} ::= {_literal(word.before + word.itself)}{rest}")
            if word.before:
                name = f"{name}s"
                rules.append(f"{name} ::= {_literal(word.itself)}{rest}")
            is_asked = not asked.isdisjoint(_ASKED.findall(word.itself.casefold()))
            (repeating if is_asked else starts).append(name)
    first = starts or repeating
    if not first:
        return ""
    marks = [_literal(f" [{place}]") for place in range(1, len(texts) + 1)]
    instead = f" | {_literal(otherwise)}" if otherwise else ""
    return "\n".join(
        [
            f'root ::= " "? (run mark?{instead})',
            f"run ::= {' | '.join(first)}",
            f"mark ::= {' | '.join(marks)}",
            *rules,
        ]
    )


def _words(text: str) -> list[_Word]:
    """Words with what stands around them, up to the last that an answer can end in."""
    words: list[_Word] = []
    for written in text.split():
        right = written.rstrip(_AROUND)
        itself = right.lstrip(_AROUND)
        if not any(character.isalnum() for character in itself):
            words.append(_Word(written, "", ""))
            continue
        words.append(
            _Word(right[: len(right) - len(itself)], itself, written[len(right) :])
        )
    while words and not words[-1].itself:
        words.pop()
    return words


def _literal(text: str) -> str:
    """As EBNF writes it: quoted, with the escapes of JSON."""
    return json.dumps(text, ensure_ascii=False)
