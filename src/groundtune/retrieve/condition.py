"""What a filter is made of, and whether a document passes it. Pure.

How a person writes a filter is in `filter`. A document is known here by its metadata,
all text, and by its id under the key `document`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Operator = Literal["=", "!=", "<", "<=", ">", ">="]

DOCUMENT = "document"
"""The key that every document has: its id, a path in most cases."""

NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Date(NamedTuple):
    """A day, a month or a year, as far as it was written: `2024-05-01`, `2024`."""

    text: str


Value = str | float | Date


@dataclass(frozen=True, slots=True)
class Comparison:
    """`key operator value`. A document without the key passes only `!=`.

    Text is compared without regard to case, but a document's name as it is. A date
    is compared as far as the filter writes it: `date = 2024` is the whole year.
    """

    key: str
    operator: Operator
    value: Value

    def matches(self, known: Mapping[str, str]) -> bool:
        """Whether a document of which this is known passes."""
        order = self._order(known.get(self.key, ""))
        if self.operator == "!=":
            return order != 0
        if order is None:
            return False
        return {
            "=": order == 0,
            "<": order < 0,
            "<=": order <= 0,
            ">": order > 0,
            ">=": order >= 0,
        }[self.operator]

    def _order(self, found: str) -> int | None:
        """Below, at or above the value; None where they do not compare."""
        if not found:
            return None
        left: str | float
        right: str | float
        if isinstance(self.value, Date):
            day = _first_day(found)
            if day is None:
                return None
            right = self.value.text
            left = day[: len(right)]
        elif isinstance(self.value, str):
            left, right = found, self.value
            if self.key != DOCUMENT:
                left, right = left.casefold(), right.casefold()
        elif NUMBER.fullmatch(found.strip()):
            left, right = float(found), self.value
        else:
            return None
        return (left > right) - (left < right)  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Like:
    """`key like pattern`: `*` stands for any characters, `/` too, `?` for one."""

    key: str
    pattern: str

    def matches(self, known: Mapping[str, str]) -> bool:
        """Whether a document of which this is known passes."""
        found = known.get(self.key, "")
        if self.key == DOCUMENT:
            return _is_like(found, self.pattern)
        return bool(found) and _is_like(found.casefold(), self.pattern.casefold())


@dataclass(frozen=True, slots=True)
class Has:
    """`has key`: the document says something of it."""

    key: str

    def matches(self, known: Mapping[str, str]) -> bool:
        """Whether a document of which this is known passes."""
        return bool(known.get(self.key))


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever its part does not let pass."""

    part: Test

    def matches(self, known: Mapping[str, str]) -> bool:
        """Whether a document of which this is known passes."""
        return not self.part.matches(known)


@dataclass(frozen=True, slots=True)
class And:
    """All of its parts."""

    parts: tuple[Test, ...]

    def matches(self, known: Mapping[str, str]) -> bool:
        """Whether a document of which this is known passes."""
        return all(part.matches(known) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of its parts."""

    parts: tuple[Test, ...]

    def matches(self, known: Mapping[str, str]) -> bool:
        """Whether a document of which this is known passes."""
        return any(part.matches(known) for part in self.parts)


Test = Comparison | Like | Has | Not | And | Or


def keys_of(test: Test) -> Iterator[str]:
    """The keys that a test asks for."""
    if isinstance(test, Comparison | Like | Has):
        yield test.key
    elif isinstance(test, Not):
        yield from keys_of(test.part)
    else:
        for part in test.parts:
            yield from keys_of(part)


def _first_day(found: str) -> str | None:
    """An ISO date or time, as the first day that it may mean."""
    read = re.match(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?!\d)", found.strip())
    return f"{read[1]}-{read[2] or '01'}-{read[3] or '01'}" if read else None


def _is_like(text: str, pattern: str) -> bool:
    """Match `*` and `?` in a time that no pattern can drive up.

    Only the last star is ever stretched: what fits before it fits anyhow.
    """
    at = place = 0
    star, resumed = -1, 0
    while at < len(text):
        sign = pattern[place] if place < len(pattern) else ""
        if sign == "*":
            star, resumed = place, at
            place += 1
        elif sign and sign in {"?", text[at]}:
            at += 1
            place += 1
        elif star >= 0:
            resumed += 1
            at, place = resumed, star + 1
        else:
            return False
    return not pattern[place:].strip("*")
