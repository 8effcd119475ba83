"""The small language of `--where`: which documents a search may find.

    lang = en and date >= 2024-01-01 and document like "guides/*"

    filter      part ("or" part)*
    part        test ("and" test)*
    test        "not" test | "(" filter ")" | "has" KEY
                | KEY ("=" | "!=" | "<" | "<=" | ">" | ">=") VALUE
                | KEY ["not"] "like" VALUE | KEY ["not"] "in" "(" VALUE ("," VALUE)* ")"

No text of a filter ever reaches the database engine: a filter chooses documents, and
the engine is given the hashes that stand for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from groundtune.core.errors import ConfigError
from groundtune.retrieve.condition import (
    DOCUMENT,
    NUMBER,
    And,
    Comparison,
    Date,
    Has,
    Like,
    Not,
    Or,
    keys_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundtune.retrieve.condition import Operator, Test, Value

_KEYWORDS = ("and", "or", "not", "in", "like", "has")
_TOKEN = re.compile(
    r"""(?P<operator><=|>=|!=|=|<|>)
    |(?P<mark>[(),])
    |(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<word>[^\s()<>=!,"']+)""",
    re.VERBOSE | re.DOTALL,
)
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_LONGEST = 4_000
_DEEPEST = 40
_DATE_KEYS = ("date",)
_NUMBER_KEYS = ("page_count",)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a search may find. Hashable: equal filters choose alike."""

    root: Test

    def matches(self, known: Mapping[str, str]) -> bool:
        """Whether a document passes, by its metadata and its id as `document`."""
        return self.root.matches(known)

    def keys(self) -> frozenset[str]:
        """The keys that it asks for."""
        return frozenset(keys_of(self.root))


def parse_filter(text: str) -> Filter:
    """Read a filter as a person writes it.

    Raises:
        ConfigError: It is not one; says at which character, and what is expected.

    Examples:
        >>> here = parse_filter('lang = en and document like "guides/*"')
        >>> here.matches({"document": "guides/first.md", "lang": "en"})
        True
        >>> here.matches({"document": "notes.md", "lang": "en"})
        False
    """
    if len(text) > _LONGEST:
        raise ConfigError(
            f"the filter is {len(text)} characters long",
            fix=f"use at most {_LONGEST}",
            where="--where",
        )
    return Filter(_Parser(text).parse())


class _Token(NamedTuple):
    kind: Literal["operator", "mark", "quoted", "word", "end"]
    text: str
    at: int
    """Character of the filter, from 1."""

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words

    def shown(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


class _Parser:
    """Recursive descent over a list of tokens."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def parse(self) -> Test:
        found = self._any()
        token = self._peek()
        if token.kind != "end":
            raise _wrong(token, "'and', 'or' or the end")
        return found

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _any(self) -> Test:
        parts = [self._all()]
        while self._peek().is_word("or"):
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Test:
        parts = [self._test()]
        while self._peek().is_word("and"):
            self._take()
            parts.append(self._test())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _test(self) -> Test:
        self._depth += 1
        token = self._take()
        if self._depth > _DEEPEST:
            raise _wrong(token, f"at most {_DEEPEST} brackets and nots inside another")
        found: Test
        if token.is_word("not"):
            found = Not(self._test())
        elif token.text == "(" and token.kind == "mark":
            found = self._any()
            self._expect(")")
        elif token.is_word("has"):
            found = Has(_key(self._take()))
        else:
            found = self._comparison(_key(token))
        self._depth -= 1
        return found

    def _comparison(self, key: str) -> Test:
        token = self._take()
        if token.kind == "operator":
            value = _value(key, self._take())
            return Comparison(key, cast("Operator", token.text), value)
        is_negated = token.is_word("not")
        if is_negated:
            token = self._take()
        found: Test
        if token.is_word("like"):
            pattern = self._take()
            if pattern.kind not in {"word", "quoted"}:
                raise _wrong(pattern, 'a pattern such as "guides/*"')
            found = Like(key, _text(pattern))
        elif token.is_word("in"):
            self._expect("(")
            values = [_value(key, self._take())]
            while self._peek().text == "," and self._peek().kind == "mark":
                self._take()
                values.append(_value(key, self._take()))
            self._expect(")")
            found = Or(tuple(Comparison(key, "=", value) for value in values))
        else:
            what = "'like' or 'in'" if is_negated else "=, !=, <, <=, >, >=, like or in"
            raise _wrong(token, f"{what} after {key!r}")
        return Not(found) if is_negated else found

    def _expect(self, mark: str) -> None:
        token = self._take()
        if token.kind != "mark" or token.text != mark:
            raise _wrong(token, f"'{mark}'")


def _tokens(text: str) -> Iterable[_Token]:
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            yield _Token("end", "", at + 1)
            return
        read = _TOKEN.match(text, at)
        if read is None:
            token = _Token("mark", text[at], at + 1)
            is_quote = token.text in "\"'"
            raise _wrong(token, "a closing quote" if is_quote else "!= or a word")
        kind = cast("Literal['operator', 'mark', 'quoted', 'word']", read.lastgroup)
        yield _Token(kind, read.group(), at + 1)
        at = read.end()


def _key(token: _Token) -> str:
    if token.kind != "word" or token.is_word(*_KEYWORDS):
        raise _wrong(token, "a key such as lang, date or document")
    return token.text


def _text(token: _Token) -> str:
    if token.kind == "word":
        return token.text
    return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)


def _value(key: str, token: _Token) -> Value:
    if token.kind not in {"word", "quoted"} or token.is_word(*_KEYWORDS):
        raise _wrong(token, "a value, in quotes if it holds spaces or a keyword")
    text = _text(token)
    if key in _DATE_KEYS:
        if not _is_date(text):
            raise _wrong(token, "a date such as 2024-01-31, 2024-01 or 2024")
        return Date(text)
    if key in _NUMBER_KEYS and not NUMBER.fullmatch(text):
        raise _wrong(token, "a number")
    is_quoted = token.kind == "quoted" and key not in _NUMBER_KEYS
    if key == DOCUMENT or is_quoted:
        return text
    if "-" in text[1:] and _is_date(text):
        return Date(text)
    return float(text) if NUMBER.fullmatch(text) else text


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    month, day = text[5:7] or "01", text[8:10] or "01"
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _wrong(token: _Token, expected: str) -> ConfigError:
    return ConfigError(
        f"expected {expected}, found {token.shown()}",
        fix='write it like: lang = en and date >= 2024-01-01 and document like "a/*"',
        where=f"--where, character {token.at}",
    )
