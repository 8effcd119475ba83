"""Invented names: syllables put together by rule, each used once in a world."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from groundtune.data.worlds.schema import Kind

_VOWELS = ("a", "e", "i", "o", "u")
_LINKS = ("l", "r", "v", "d", "k", "n")
_GIVEN = ("Od", "Ver", "Jas", "Tul", "Bren", "Kav", "Mir", "Sel", "Hal", "Yor", "Pem")
_GIVEN_ENDS = ("rane", "wick", "mund", "ista", "olf", "ette", "ador", "une", "isk")
_FAMILY = ("Vesk", "Thorl", "Quill", "Drav", "Ombr", "Pask", "Zell", "Grund", "Nokt")
_FAMILY_ENDS = ("il", "evan", "ower", "ansk", "idge", "umel", "arro", "otter", "ein")
_PLACE = ("Ostr", "Uld", "Cavr", "Nesk", "Yarr", "Brem", "Twel", "Ghol", "Isp", "Mazz")
_PLACE_ENDS = ("el", "una", "aven", "och", "ish", "ombe", "ara", "eld", "ivo", "untry")


class Names:
    """Invents names for one world; no two of them are equal, whatever their case."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def entity(self, kind: Kind) -> str:
        """A name by the kind's syllables, such as `Quodarn`."""
        return self._new(
            lambda: (
                self._pick(kind.onsets).capitalize()
                + self._pick(_VOWELS)
                + self._pick(_LINKS)
                + self._pick(_VOWELS)
                + self._pick(kind.codas)
            )
        )

    def sibling(self, kind: Kind, *, of: str) -> str:
        """A name that is easily taken for `of`, such as `Quodarnholt`."""
        return self._new(lambda: of + self._pick(kind.endings))

    def person(self) -> str:
        """A given name and a family name."""
        return self._new(
            lambda: (
                f"{self._pick(_GIVEN)}{self._pick(_GIVEN_ENDS)} "
                f"{self._pick(_FAMILY)}{self._pick(_FAMILY_ENDS)}"
            )
        )

    def place(self) -> str:
        """A river, a valley or a house."""
        return self._new(
            lambda: (
                self._pick(_PLACE)
                + self._pick(_VOWELS)
                + self._pick(_LINKS)
                + self._pick(_PLACE_ENDS)
            )
        )

    def _pick(self, parts: Sequence[str]) -> str:
        return parts[int(self._rng.integers(len(parts)))]

    def _new(self, invent: Callable[[], str]) -> str:
        for _ in range(1000):
            name = invent()
            if name.lower() not in self._used:
                self._used.add(name.lower())
                return name
        msg = "the world is too large for its naming rules"
        raise ValueError(msg)
