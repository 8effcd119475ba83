"""Which texts nearly repeat others: MinHash, then exact Jaccard.

Pure. Hashing only proposes pairs; each one is checked on its character n-grams, so what
is reported is never a guess. A pair above the threshold is missed in about 1 of 10,000.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    Codes = npt.NDArray[np.uint64]

_GRAM = 4
"""Characters of an n-gram."""
_BANDS = 24
_ROWS = 5
"""With 24 bands of 5 hashes a pair at Jaccard 0.8 is proposed with p = 0.9999."""
_BASE = np.uint64(0x100000001B3)
_MOST_PROPOSED = 50
"""Earlier texts that one text is compared with: where all are of one template, each is
like every other, and more would say nothing new."""


class NearPair(NamedTuple):
    """Two texts that are nearly the same."""

    left: int
    """Index in the first list."""
    right: int
    """Index in the second list."""
    similarity: float
    """Jaccard similarity of their character n-grams."""


class Fingerprint(NamedTuple):
    """A text as it is compared."""

    grams: Codes
    """Hashes of its distinct n-grams, sorted."""
    buckets: list[tuple[int, bytes]]
    """What it shares with texts that are like it, one for each band."""


def fingerprints(texts: Iterable[str]) -> list[Fingerprint]:
    """Prepare texts for comparing; normalise them before."""
    found: list[Fingerprint] = []
    for text in texts:
        grams = _grams(text)
        found.append(Fingerprint(grams, _bands(grams)))
    return found


def near_pairs(
    left: Sequence[Fingerprint],
    right: Sequence[Fingerprint],
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
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, one in enumerate(left):
        for key in one.buckets:
            buckets[key].append(index)
    found: list[NearPair] = []
    for index, own in enumerate(right):
        proposed = {i for key in own.buckets for i in buckets.get(key, ())}
        for other in proposed:
            if not matters(other, index):
                continue
            similarity = _jaccard(left[other].grams, own.grams)
            if similarity >= threshold:
                found.append(NearPair(other, index, similarity))
    return sorted(found)


def near_repeats(
    texts: Sequence[Fingerprint], *, threshold: float = 0.8
) -> list[NearPair]:
    """Each text that nearly repeats an earlier one, with the most alike of those."""
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    found: list[NearPair] = []
    for index, own in enumerate(texts):
        proposed: set[int] = set()
        for key in own.buckets:
            earlier = buckets[key]
            proposed.update(earlier[-_MOST_PROPOSED:])
            earlier.append(index)
        alike = [
            NearPair(other, index, similarity)
            for other in sorted(proposed)[-_MOST_PROPOSED:]
            if (similarity := _jaccard(texts[other].grams, own.grams)) >= threshold
        ]
        if alike:
            found.append(max(alike, key=lambda pair: (pair.similarity, -pair.left)))
    return found


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


_FACTORS = _scrambled(np.arange(1, _BANDS * _ROWS + 1, dtype=np.uint64)) | np.uint64(1)
"""Odd, so that multiplying by one maps codes one to one: each a hash of its own."""
_BAND_BYTES = 8 * _ROWS


def _bands(grams: Codes) -> list[tuple[int, bytes]]:
    """The buckets that a text falls into."""
    signature = (grams[None, :] * _FACTORS[:, None]).min(axis=1).tobytes()
    starts = range(0, len(signature), _BAND_BYTES)
    return [(start, signature[start : start + _BAND_BYTES]) for start in starts]


def _jaccard(left: Codes, right: Codes) -> float:
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / (len(left) + len(right) - shared)
