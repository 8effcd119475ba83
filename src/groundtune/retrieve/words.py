"""Texts and queries become the terms of BM25: words, cut to their stems.

The table keeps the terms of each passage, so that every document is stemmed by its own
language and a query by all languages that are present. Which language a text is in is
guessed in `data.languages`; the index over the terms is LanceDB's.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import Stemmer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEFAULT_LANGUAGE = "en"
"""By which a text is stemmed whose language nobody knows."""

ANALYSIS_VERSION = "w1"
"""Bump when `terms` changes: passages stored before then do not match queries."""

_ALGORITHMS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
_ALIASES = {"nb": "no", "nn": "no"}

_WORD = re.compile(r"[^\W_]+")
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_CJK_RUN = re.compile(rf"[{_CJK}]+|[^{_CJK}]+")
_IS_CJK = re.compile(rf"[{_CJK}]")
_LONGEST = 40
"""Characters of a word that count. Longer ones are hashes and encoded data."""

_stemming = threading.Lock()
"""A stemmer keeps state while it works."""


def language_code(tag: str) -> str:
    """The two letters of a language tag such as `en-GB`; empty if it is none."""
    code = re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]
    code = _ALIASES.get(code, code)
    return code if re.fullmatch(r"[a-z]{2}", code) else ""


def terms(text: str, languages: Sequence[str]) -> str:
    """The terms of a text, in order, separated by spaces.

    Args:
        text: A passage, or a query.
        languages: Codes by which words are stemmed. A word that they stem differently
            becomes several terms; one whose language has no stemmer stays as it is.

    Examples:
        >>> terms("The river floods: Überschwemmung!", ["en"])
        'the river flood uberschwemmung'
        >>> terms("floods", ["de", "en"])
        'flood'
        >>> terms("東京都", ["ja"])
        '東京 京都'
    """
    if len(languages) == 1:
        one = languages[0]
        return " ".join([_term(word, one) for word in _words(text)])
    found: list[str] = []
    for word in _words(text):
        found += dict.fromkeys(_term(word, language) for language in languages)
    return " ".join(found)


def _words(text: str) -> Iterator[str]:
    text = text.lower()
    if text.isascii():
        yield from _WORD.findall(text)
        return
    for word in _WORD.findall(unicodedata.normalize("NFKC", text)):
        if word.isascii() or not _IS_CJK.search(word):
            yield word
            continue
        # Scripts without spaces: every two neighbouring characters are a word.
        for run in _CJK_RUN.findall(word):
            if len(run) < 2 or not _IS_CJK.match(run):
                yield run
            else:
                yield from (run[i : i + 2] for i in range(len(run) - 1))


@lru_cache(maxsize=1 << 18)
def _term(word: str, language: str) -> str:
    word = word[:_LONGEST]
    algorithm = _ALGORITHMS.get(language)
    if algorithm is not None:
        with _stemming:
            word = _stemmer(algorithm).stemWord(word)
    return word if word.isascii() else _without_accents(word)


@lru_cache(maxsize=64)
def _stemmer(algorithm: str) -> Any:  # noqa: ANN401 (the library has no types)
    return Stemmer.Stemmer(algorithm, 0)


def _without_accents(word: str) -> str:
    """A word in Latin letters without its accents; others as they are."""
    if not all(c < "\u0250" or "\u1e00" <= c <= "\u1eff" for c in word):
        return word
    parts = unicodedata.normalize("NFKD", word)
    return "".join(c for c in parts if not unicodedata.combining(c))
