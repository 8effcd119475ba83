"""Cases to train, dev and test: by group, so that no document is on two sides.

Order comes from hashes of seed and name rather than from a random generator: the same
seed gives the same split on every machine and in every version of every library.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import QaCase


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFractions:
    """Share of the cases on each side, about; groups are never divided."""

    train: float = 0.6
    dev: float = 0.1
    test: float = 0.3

    def __post_init__(self) -> None:
        parts = (self.train, self.dev, self.test)
        if min(parts) <= 0 or abs(sum(parts) - 1) > 1e-9:
            raise ConfigError(
                f"fractions are {', '.join(map(str, parts))}",
                fix="use three numbers above 0 that add up to 1",
                where="splits",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The three sides, each in the order of the file."""

    train: tuple[QaCase, ...]
    dev: tuple[QaCase, ...]
    test: tuple[QaCase, ...]

    @property
    def fingerprint(self) -> str:
        """Name by content: changes with any case on any side."""
        return fingerprint(
            {
                side: [asdict(case) for case in cases]
                for side, cases in (
                    ("train", self.train),
                    ("dev", self.dev),
                    ("test", self.test),
                )
            }
        )


def split_cases(
    cases: Sequence[QaCase],
    *,
    seed: int,
    fractions: SplitFractions | None = None,
    limit: int | None = None,
) -> Splits:
    """Split by group: a document's cases are all on one side.

    Args:
        cases: Cases with a group, or a source that serves as one.
        seed: Other seeds give other splits.
        fractions: 0.6, 0.1 and 0.3 of the cases if not given.
        limit: At most so many test cases, spread over the test groups.

    Raises:
        DataError: There are fewer than three groups, or some cases have none.
    """
    groups: dict[str, list[QaCase]] = defaultdict(list)
    for case in cases:
        groups[group_of(case)].append(case)
    fix = "give separate files: --train F --dev F --test F"
    if missing := len(groups.get("", ())):
        raise DataError(
            f"{missing} of {len(cases)} cases name no document to split by",
            fix=f'give each case a "source" or a "group", or {fix}',
        )
    if len(groups) < 3:
        raise DataError(
            f"{len(groups)} document(s) cannot be split into train, dev and test",
            fix=f"{fix}, or add cases on at least {3 - len(groups)} more document(s)",
        )
    sides = _assign(
        {name: len(members) for name, members in groups.items()},
        seed=seed,
        fractions=fractions or SplitFractions(),
    )
    split = {
        side: tuple(case for case in cases if sides[group_of(case)] == side)
        for side in ("train", "dev", "test")
    }
    if limit is not None:
        split["test"] = sample_cases(split["test"], limit=limit, seed=seed)
    return Splits(**split)


def sample_cases(
    cases: Sequence[QaCase], *, limit: int, seed: int
) -> tuple[QaCase, ...]:
    """At most `limit` cases, as many of each group as can be, in the order given.

    A smaller limit gives a part of what a larger one gives.

    Raises:
        ConfigError: `limit` is below 1.
    """
    if limit < 1:
        raise ConfigError(
            f"limit is {limit}", fix="use 1 case or more", where="--limit"
        )
    taken: dict[str, int] = defaultdict(int)
    turns: list[tuple[int, str, str]] = []
    for case in sorted(cases, key=lambda case: _rank(seed, case.id)):
        group = group_of(case)
        turns.append((taken[group], _rank(seed, group), case.id))
        taken[group] += 1
    chosen = {identifier for _, _, identifier in sorted(turns)[:limit]}
    return tuple(case for case in cases if case.id in chosen)


def group_of(case: QaCase) -> str:
    """The unit of splitting: the case's group, else its source."""
    return case.group or case.source


def _rank(seed: int, name: str) -> str:
    return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=16).hexdigest()


def _assign(
    sizes: dict[str, int], *, seed: int, fractions: SplitFractions
) -> dict[str, str]:
    """Side of each group: in hashed order, to the side that lacks most of its share."""
    total = sum(sizes.values())
    wanted = {
        side: share * total
        for side, share in (
            ("train", fractions.train),
            ("test", fractions.test),
            ("dev", fractions.dev),
        )
    }
    have = dict.fromkeys(wanted, 0)
    sides: dict[str, str] = {}
    order = sorted(sizes, key=lambda name: _rank(seed, name))
    for number, name in enumerate(order):
        empty = [side for side in wanted if not have[side]]
        # The last groups are kept for sides that have none yet.
        open_sides = empty if len(order) - number <= len(empty) else list(wanted)
        side = max(open_sides, key=lambda side: 1 - have[side] / wanted[side])
        have[side] += sizes[name]
        sides[name] = side
    return sides
