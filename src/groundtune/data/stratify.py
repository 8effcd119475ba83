"""Labelled cases to sides: every label on each in its share, nothing on two of them.

Cases of one `group` and cases of the same text stay together. Order comes from hashes
of seed and content rather than from a random generator: the same seed gives the same
split on every machine and in every version of every library.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.values import (
    EntityCase,
    LabelCase,
    SummaryCase,
    SupportCase,
    TranslationCase,
)
from groundtune.data.doctor import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.data.labelled import Case

_Case = TypeVar("_Case", bound="Case")
_Named = TypeVar("_Named", bound="Named")
_OUTSIDE = "O"


class Named(Protocol):
    """A case of any kind."""

    @property
    def id(self) -> str:
        """Its own among the cases of its file."""
        ...


class Fold(NamedTuple, Generic[_Case]):
    """One of the ways to hold a part of the cases out."""

    train: list[_Case]
    test: list[_Case]


def split_stratified(
    cases: Sequence[_Case], *, shares: Sequence[float], seed: int
) -> tuple[list[_Case], ...]:
    """Divide cases, each label in the given shares as well as whole units allow.

    Args:
        cases: A label is that of a `LabelCase`, the types of an `EntityCase`, the
            intent of a `SupportCase`; translations have none.
        shares: One number above 0 for each side, adding up to 1.
        seed: Other seeds give other splits.

    Returns:
        One list a side, each in the order given.

    Raises:
        ConfigError: The shares are not such numbers.
        DataError: There are fewer units that may be divided than sides.
    """
    if not shares or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ConfigError(
            f"shares are {', '.join(map(str, shares)) or 'none'}",
            fix="use numbers above 0 that add up to 1",
            where="split",
        )
    units = _units(cases)
    if len(units) < len(shares):
        raise DataError(
            f"{len(units)} texts or groups cannot be split into {len(shares)} sides",
            fix="add cases, or give separate files",
        )
    sides = _assign(cases, units, shares=shares, seed=seed)
    return tuple(
        [case for case, own in zip(cases, sides, strict=True) if own == side]
        for side in range(len(shares))
    )


def draw_per_label(cases: Sequence[_Case], *, count: int, seed: int) -> list[_Case]:
    """So many cases of each label, for few-shot training; in the order given.

    No text is drawn twice. A label that has fewer cases gives all of them. A smaller
    count gives a part of what a larger one gives.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"count is {count}", fix="use 1 or more", where="draw")
    taken: Counter[str] = Counter()
    seen: set[str] = set()
    chosen: set[int] = set()
    order = sorted(
        range(len(cases)), key=lambda i: (_rank(seed, _content(cases[i])), i)
    )
    for index in order:
        label = " ".join(sorted(set(_labels(cases[index]))))
        text = _same_text(cases[index])
        if taken[label] < count and text not in seen:
            taken[label] += 1
            seen.add(text)
            chosen.add(index)
    return [cases[index] for index in sorted(chosen)]


def folds(cases: Sequence[_Case], *, count: int, seed: int) -> list[Fold[_Case]]:
    """Cross-validation: each case is held out once, the others are trained on.

    Raises:
        ConfigError: `count` is below 2.
        DataError: There are fewer units that may be divided than folds.
    """
    if count < 2:
        raise ConfigError(f"{count} folds", fix="use 2 or more", where="folds")
    sides = split_stratified(cases, shares=[1 / count] * count, seed=seed)
    held = [{id(case) for case in side} for side in sides]
    return [
        Fold([case for case in cases if id(case) not in own], list(side))
        for side, own in zip(sides, held, strict=True)
    ]


def in_hashed_order(cases: Iterable[_Named], *, seed: int) -> list[_Named]:
    """Cases in an order of chance by their ids: files are often sorted by topic."""
    return sorted(cases, key=lambda case: _rank(seed, case.id))


def _labels(case: Case) -> list[str]:
    """What a case counts for when sides are balanced."""
    if isinstance(case, LabelCase):
        return [case.label]
    if isinstance(case, EntityCase):
        return [tag[2:] for tag in case.tags if tag.startswith("B-")] or [_OUTSIDE]
    if isinstance(case, SupportCase):
        return [case.intent]
    return [""]


def _content(case: Case) -> str:
    if isinstance(case, LabelCase):
        return f"{case.text}\0{case.label}"
    if isinstance(case, EntityCase):
        return " ".join(case.tokens)
    if isinstance(case, TranslationCase):
        return f"{case.source}\0{case.target}"
    if isinstance(case, SummaryCase):
        return "\0".join((case.document, case.query, *case.summaries))
    return "\0".join(f"{role}\0{content}" for role, content in case.messages)


def _same_text(case: Case) -> str:
    """Equal for cases that ask the same."""
    if isinstance(case, LabelCase):
        text = case.text
    elif isinstance(case, EntityCase):
        text = " ".join(case.tokens)
    elif isinstance(case, TranslationCase):
        text = case.source
    elif isinstance(case, SummaryCase):
        text = case.document or case.query
    else:
        spoken = [turn for turn in case.messages[:-1] if turn.role != "system"]
        text = "\n".join(turn.content for turn in spoken)
    # A text without words has only its marks to tell it from others.
    return normalise(text) or text


def _units(cases: Sequence[Case]) -> list[list[int]]:
    """Indices of cases that must stay together."""
    root = list(range(len(cases)))

    def top(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, case in enumerate(cases):
        keys = [("text", _same_text(case))]
        if case.group:
            keys.append(("group", case.group))
        for key in keys:
            root[top(index)] = top(first.setdefault(key, index))
    units: dict[int, list[int]] = defaultdict(list)
    for index in range(len(cases)):
        units[top(index)].append(index)
    return list(units.values())


def _assign(
    cases: Sequence[Case],
    units: Iterable[Sequence[int]],
    *,
    shares: Sequence[float],
    seed: int,
) -> list[int]:
    """Side of each case: units of rare labels first, to the side that lacks most."""
    counts = Counter(label for case in cases for label in _labels(case))
    lacking = [{label: share * n for label, n in counts.items()} for share in shares]
    room = [share * len(cases) for share in shares]
    sides = [0] * len(cases)
    prepared = [
        (
            min(counts[label] for i in unit for label in _labels(cases[i])),
            -len(unit),
            _rank(seed, min(_content(cases[i]) for i in unit)),
            unit,
        )
        for unit in units
    ]
    waiting = set(range(len(shares)))
    for number, (_, _, _, unit) in enumerate(sorted(prepared)):
        own = Counter(label for i in unit for label in _labels(cases[i]))
        # The last units are kept for sides that have none yet.
        is_short = len(prepared) - number <= len(waiting)
        open_sides = sorted(waiting) if is_short else range(len(shares))
        side = max(
            open_sides,
            key=lambda side: (
                sum(
                    n * lacking[side][label] / counts[label] for label, n in own.items()
                ),
                room[side],
                -side,
            ),
        )
        waiting.discard(side)
        for label, n in own.items():
            lacking[side][label] -= n
        room[side] -= len(unit)
        for index in unit:
            sides[index] = side
    return sides


def _rank(seed: int, name: str) -> str:
    raw = f"{seed}\0{name}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, digest_size=16).hexdigest()
