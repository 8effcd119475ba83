"""What a text states that can be looked up: figures, dates, addresses, links, names.

A writer that was tuned on past conversations knows how to say things, and has made up
or remembered what it says. Here each fact of a sentence is held against texts that may
vouch for it. Wording is not a fact, and whether a sentence follows from another is not
decided here: that is `citations`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BLANK = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}|\[\s*([A-Za-z][^\[\]\n]*?)\s*\]")
"""Where past conversations were made anonymous: `{{Hotline}}`, `[Hotline]`."""
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[^\s<>\"']+|[^\s<>\"'@]+@[^\s<>\"'@]+"
    r"|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|co|de|eu|example)\b(?:/[^\s<>\"']*)?",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+(?:[-.,:/'\u2019][^\W_]+)*")
_SIGN = re.compile(r"([$\u20ac\u00a3%])\s?(\d[\d.,]*\d|\d)?")
_LIST_MARK = re.compile(r"^\s*(?:\d{1,3}[.)]|[-*\u2022])\s+")
_END_OF_SENTENCE = ".!?:\u2026"
_NUMBER_WORDS = frozenset(
    re.findall(
        r"\w+",
        """two three four five six seven eight nine ten eleven twelve fifteen twenty
        thirty forty fifty sixty ninety hundred thousand half twice""",
    )
)
_EVERYWHERE = frozenset(["i", "i'm", "i'll", "i'd", "i've", "ok", "okay", "faq", "id"])
"""Written large, or like a name, by everyone."""
_STEM = 3
"""Letters below which an `s` at the end is part of the word."""


def blanks(text: str) -> list[tuple[str, str]]:
    """Each place left open in a text: as it is written, and what belongs there.

    Examples:
        >>> blanks("Call {{Phone Number}} or [Hotline] [1].")
        [('{{Phone Number}}', 'Phone Number'), ('[Hotline]', 'Hotline')]
    """
    return [(found[0], found[1] or found[2]) for found in _BLANK.finditer(text)]


def value_of(label: str, text: str) -> str:
    """What a text gives for a label in a line of its own; empty where it has none.

    Examples:
        >>> value_of("Phone Number", "- Phone number: 555 01 02")
        '555 01 02'
    """
    wanted = [_key(word) for word in _TOKEN.findall(label)]
    for line in text.split("\n"):
        said, colon, value = line.partition(":")
        named = [_key(word) for word in _TOKEN.findall(said)]
        if colon and wanted and named == wanted and value.strip(" *|"):
            return value.strip(" *|")
    return ""


def is_item(line: str) -> bool:
    """Whether a line is an item of a list."""
    return _LIST_MARK.match(line) is not None


def bare(line: str) -> str:
    """An item without the mark before it."""
    return _LIST_MARK.sub("", line).strip()


def unvouched(
    sentence: str, sources: Sequence[str], *, asked: str = ""
) -> tuple[str, ...]:
    """The facts of a sentence that stand nowhere else.

    A figure counts with the word behind it, as in one source: that something takes 30
    days does not vouch for 30 euros. What the person said may be repeated.

    Args:
        sentence: One sentence, or an item of a list.
        sources: Texts that may vouch.
        asked: What the person said.

    Examples:
        >>> unvouched("We refund within 5 days.", ["Refunds take 5 days."])
        ()
        >>> unvouched("We refund within 5 weeks.", ["Refunds take 5 days."])
        ('5 weeks',)
    """
    body = bare(sentence)
    missing = [written for written, _ in blanks(body)]
    body = _BLANK.sub(" ", body)
    known = [text.casefold() for text in (*sources, asked)]
    for found in _ADDRESS.finditer(body):
        address = found[0].rstrip(".,;:!?)")
        if not any(address.casefold() in text for text in known):
            missing.append(address)
    body = _ADDRESS.sub(" ", body)
    words = [_keys(text) for text in sources]
    own = set(_keys(asked))
    for fact in _facts(body):
        keys = tuple(_key(word) for word in fact.split())
        if keys[0] not in own and not any(_holds(text, keys) for text in words):
            missing.append(fact)
    return tuple(missing)


def _facts(text: str) -> Iterator[str]:
    """Figures with what they count, and names, as they are written."""
    marked = _SIGN.sub(_spelled, text)
    found = list(_TOKEN.finditer(marked))
    for number, match in enumerate(found):
        word = match[0]
        follows = found[number + 1] if number + 1 < len(found) else None
        if _is_figure(word):
            is_joined = follows and not marked[match.end() : follows.start()].strip()
            yield f"{word} {follows[0]}" if follows and is_joined else word
        elif word[0].isupper() and word.casefold() not in _EVERYWHERE:
            before = marked[: match.start()].rstrip(" \"'\u201c\u2018(*")
            if before and before[-1] not in _END_OF_SENTENCE:
                yield word


def _is_figure(word: str) -> bool:
    return any(map(str.isdigit, word)) or word.casefold() in _NUMBER_WORDS


def _spelled(sign: re.Match[str]) -> str:
    """Signs become words behind their figure, so that `20 %` and `20 euros` differ."""
    names = {"$": "dollar", "\u20ac": "euro", "\u00a3": "pound", "%": "percent"}
    return f" {sign[2] or ''} {names[sign[1]]} "


def _keys(text: str) -> tuple[str, ...]:
    return tuple(_key(word) for word in _TOKEN.findall(_SIGN.sub(_spelled, text)))


def _key(word: str) -> str:
    """A word without case, and without the ending of its plural."""
    plain = unicodedata.normalize("NFKC", word).replace("\u2019", "'").casefold()
    plain = plain.removesuffix("'s")
    return plain[:-1] if len(plain) > _STEM and plain.endswith("s") else plain


def _holds(text: tuple[str, ...], keys: tuple[str, ...]) -> bool:
    """Whether the words stand in a text one after the other."""
    size = len(keys)
    return any(text[at : at + size] == keys for at in range(len(text) - size + 1))
