"""Step 2: cases become token ids with labels, and batches of like length.

A text carries one label; the words of a sentence carry one each, at their first token.
A sentence that is too long becomes windows of whole words, so that no word is ever left
without its tag. Pure: numpy only, chance comes from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.core.errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

UNKNOWN_LABEL = -1
"""Gold label of a case whose label the model does not have; it carries no loss."""
_WINDOW_BATCHES = 24
"""Batches among which lengths are grouped: wide enough to match, still shuffled."""
_LENGTH_STEP = 4
"""Lengths that differ by less are mixed: with short texts length betrays the label, and
steps of one label teach badly."""
_CONTEXT_SHARE = 0.2
"""Share of a window that repeats words before and after its own."""


@dataclass(frozen=True, slots=True)
class Item:
    """One sequence of tokens. Axes: T tokens, S supervised places."""

    ids_T: Ints
    """With the model's special tokens."""
    places_S: Ints
    """Where labels are read: the first token of each word, or 0 for the whole text."""
    gold_S: Ints
    case: int
    """Number of the case that it comes from."""
    first_word: int = 0
    """Number of the word at the first place."""

    def __len__(self) -> int:
        return len(self.ids_T)


class Batch(NamedTuple):
    """Items side by side, padded at the end. Axes: B items, T tokens, S places."""

    ids_B_T: Ints
    mask_B_T: Ints
    rows_S: Ints
    """Item of each supervised place."""
    places_S: Ints
    gold_S: Ints


class TextCutter:
    """Texts and words to token ids, by the tokenizer of a model folder."""

    def __init__(self, folder: Path, *, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        self._inner: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._inner.no_padding()
        self._inner.no_truncation()
        self.max_tokens = max_tokens
        empty = self._inner.encode("", add_special_tokens=True).ids
        if len(empty) != 2:
            raise ModelLoadError(
                f"its tokenizer puts {len(empty)} special tokens around a text, not 2",
                fix="use a BERT-like model, such as all-minilm-l6-v2",
                where=str(folder),
            )
        self._begin, self._end = empty
        unknown = self._inner.token_to_id("[UNK]")
        self._unknown = unknown if unknown is not None else self._end
        self._words: dict[str, tuple[int, ...]] = {}
        self.mask_id: int | None = self._inner.token_to_id("[MASK]")

    def texts(self, texts: Sequence[str]) -> tuple[list[Ints], int]:
        """Ids of each text, and how many texts were cut at `max_tokens`."""
        found = self._inner.encode_batch(list(texts), add_special_tokens=False)
        room = self.max_tokens - 2
        cut = sum(len(one.ids) > room for one in found)
        return [self._around(one.ids[:room]) for one in found], cut

    def words(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """Ids of each word; at least one, so that every word has its place."""
        new = [word for word in dict.fromkeys(words) if word not in self._words]
        found = self._inner.encode_batch(new, add_special_tokens=False)
        for word, one in zip(new, found, strict=True):
            # No single word may fill a window: its first tokens stand for it.
            ids = tuple(one.ids[: self.max_tokens // 4])
            self._words[word] = ids or (self._unknown,)
        return [self._words[word] for word in words]

    def _around(self, ids: Sequence[int]) -> Ints:
        return np.array([self._begin, *ids, self._end], np.int64)

    def windows(self, pieces: Sequence[tuple[int, ...]]) -> list[Window]:
        """One window over the words of a sentence, or several where it is too long."""
        room = self.max_tokens - 2
        sizes = [len(piece) for piece in pieces]
        made: list[Window] = []
        start = 0
        while start < len(pieces) or not made:
            whole = sum(sizes[start:]) <= room and start == 0
            own = room if whole else int(room * (1 - 2 * _CONTEXT_SHARE))
            end = _reach(sizes, start, own)
            side = 0 if whole else int(room * _CONTEXT_SHARE)
            left = start - _reach(sizes[:start][::-1], 0, side)
            right = _reach(sizes, end, side)
            ids: list[int] = []
            places: list[int] = []
            for number in range(left, right):
                if start <= number < end:
                    places.append(len(ids) + 1)
                ids.extend(pieces[number])
            made.append(Window(self._around(ids), np.array(places, np.int64), start))
            start = end
            if not pieces:
                break
        return made


class Window(NamedTuple):
    """A piece of a sentence, with the words around it."""

    ids_T: Ints
    places_S: Ints
    first_word: int


def _reach(sizes: Sequence[int], start: int, room: int) -> int:
    """One past the last word from `start` on that fits; at least one where room > 0."""
    end, used = start, 0
    while end < len(sizes) and used + sizes[end] <= room:
        used += sizes[end]
        end += 1
    return end


def text_items(
    texts: Sequence[str], gold: Sequence[int], *, cutter: TextCutter
) -> tuple[list[Item], int]:
    """One item a text, and how many texts were cut."""
    ids, cut = cutter.texts(texts)
    place = np.zeros(1, np.int64)
    items = [
        Item(ids_T, place, np.array([label], np.int64), number)
        for number, (ids_T, label) in enumerate(zip(ids, gold, strict=True))
    ]
    return items, cut


def word_items(
    sentences: Sequence[Sequence[str]],
    gold: Sequence[Sequence[int]],
    *,
    cutter: TextCutter,
) -> list[Item]:
    """One item a sentence, or several where it is too long."""
    items: list[Item] = []
    for number, (words, labels) in enumerate(zip(sentences, gold, strict=True)):
        for ids_T, places_S, first in cutter.windows(cutter.words(words)):
            gold_S = np.array(labels[first : first + len(places_S)], np.int64)
            items.append(Item(ids_T, places_S, gold_S, number, first))
    return items


def plan_steps(
    lengths: Sequence[int],
    *,
    batch_items: int,
    epochs: float,
    seed: int,
    is_grouped: bool = True,
) -> list[list[int]]:
    """Which items make which step: every item once an epoch, in an order of its own.

    Items of a step are of like length, so that little is padded. The plan depends on
    lengths and seed alone: a training that is resumed follows it from where it stood.
    """
    rng = np.random.default_rng(seed)
    per_epoch = -(-len(lengths) // batch_items)
    wanted = max(1, round(per_epoch * epochs))
    steps: list[list[int]] = []
    while len(steps) < wanted:
        order = [int(i) for i in rng.permutation(len(lengths))]
        if is_grouped:
            width = batch_items * _WINDOW_BATCHES
            windows = [order[at : at + width] for at in range(0, len(order), width)]
            order = [
                i
                for part in windows
                for i in sorted(part, key=lambda i: lengths[i] // _LENGTH_STEP)
            ]
        batches = [
            order[at : at + batch_items] for at in range(0, len(order), batch_items)
        ]
        steps += [batches[int(i)] for i in rng.permutation(len(batches))]
    return steps[:wanted]


def micro_batches(
    items: Sequence[int], lengths: Sequence[int], *, most_tokens: int
) -> Iterator[list[int]]:
    """Split a step into batches of at most so many padded tokens, longest first."""
    batch: list[int] = []
    width = 0
    for item in sorted(items, key=lambda i: -lengths[i]):
        width = width or lengths[item]
        if batch and width * (len(batch) + 1) > most_tokens:
            yield batch
            batch, width = [], lengths[item]
        batch.append(item)
    if batch:
        yield batch


def hide_words(
    items: Sequence[Item],
    numbers: Sequence[int],
    *,
    share: float,
    mask_id: int,
    key: Sequence[int],
) -> list[Item]:
    """Items with some of their tokens behind the mask token; never the special ones.

    What is hidden follows from the key and an item's number alone, so that it is the
    same however a step is split.
    """
    hidden: list[Item] = []
    for item, number in zip(items, numbers, strict=True):
        chance_T = np.random.default_rng([*key, number]).random(len(item))
        chance_T[[0, -1]] = 1.0
        hidden.append(
            replace(item, ids_T=np.where(chance_T < share, mask_id, item.ids_T))
        )
    return hidden


def collate(items: Sequence[Item]) -> Batch:
    """Put items side by side."""
    width = max(len(item) for item in items)
    ids_B_T = np.zeros((len(items), width), np.int64)
    mask_B_T = np.zeros((len(items), width), np.int64)
    for row, item in enumerate(items):
        ids_B_T[row, : len(item)] = item.ids_T
        mask_B_T[row, : len(item)] = 1
    return Batch(
        ids_B_T,
        mask_B_T,
        np.repeat(np.arange(len(items)), [len(item.places_S) for item in items]),
        np.concatenate([item.places_S for item in items]),
        np.concatenate([item.gold_S for item in items]),
    )
