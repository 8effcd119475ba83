"""Which texts of one list nearly repeat texts of another: MinHash, then exact Jaccard.

Pure. Hashing only proposes pairs; each one is checked on its character n-grams, so what
is reported is never a guess. A pair above the threshold is missed in about 1 of 10,000.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Codes = npt.NDArray[np.uint64]

_GRAM = 4
"""Characters of an n-gram."""
_BANDS = 24
_ROWS = 5
"""With 24 bands of 5 hashes a pair at Jaccard 0.8 is proposed with p = 0.9999."""
_BASE = np.uint64(0x100000001B3)


class NearPair(NamedTuple):
    """Two texts that are nearly the same."""

    left: int
    """Index in the first list."""
    right: int
    """Index in the second list."""
    similarity: float
    """Jaccard similarity of their character n-grams."""


def near_pairs(
    left: Sequence[str],
    right: Sequence[str],
    *,
    matters: Callable[[int, int], bool],
    threshold: float = 0.8,
) -> list[NearPair]:
    """Pairs whose similarity is at least `threshold`, in index order.

    Args:
        left: The texts that are looked through.
        right: The texts that are looked for.
        matters: Asked before a pair is compared; questions of one template make many
            pairs that do not matter.
        threshold: Lowest similarity that is reported.
    """
    grams_left = [_grams(text) for text in left]
    grams_right = [_grams(text) for text in right]
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, grams in enumerate(grams_left):
        for key in _bands(grams):
            buckets[key].append(index)
    found: list[NearPair] = []
    for index, grams in enumerate(grams_right):
        proposed = {i for key in _bands(grams) for i in buckets.get(key, ())}
        for other in proposed:
            if not matters(other, index):
                continue
            similarity = _jaccard(grams_left[other], grams)
            if similarity >= threshold:
                found.append(NearPair(other, index, similarity))
    return sorted(found)


def _grams(text: str) -> Codes:
    """Hashes of the distinct n-grams of `text`, sorted."""
    padded = f"  {text}  "
    raw = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = raw.astype(np.uint64)
    count = len(codes) - _GRAM + 1
    mixed = np.zeros(count, dtype=np.uint64)
    for offset in range(_GRAM):
        mixed = mixed * _BASE + codes[offset : offset + count]
    return np.unique(_scrambled(mixed))


def _scrambled(codes: Codes) -> Codes:
    """Spread codes over all 64 bits, one to one (unsigned numbers wrap around)."""
    codes = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    codes = (codes ^ (codes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return codes ^ (codes >> np.uint64(31))


_SALTS = _scrambled(np.arange(1, _BANDS * _ROWS + 1, dtype=np.uint64))


def _bands(grams: Codes) -> list[tuple[int, bytes]]:
    """The buckets that a text falls into."""
    signature = _scrambled(grams[None, :] ^ _SALTS[:, None]).min(axis=1)
    rows = signature.reshape(_BANDS, _ROWS)
    return [(band, rows[band].tobytes()) for band in range(_BANDS)]


def _jaccard(left: Codes, right: Codes) -> float:
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / (len(left) + len(right) - shared)
