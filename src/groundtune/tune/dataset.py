"""Step 2 of fine-tuning: examples become packs of tokens, packs become a plan.

A pack is a head that is read once and several turns, question and answer, that share
it. Each turn sees the head and itself, never its neighbours, and its positions go on
from the head: the model sees each question exactly as it will at inference, at a
fraction of the tokens. Pure: numpy only, chance comes from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from groundtune.config.training import TrainSettings

IGNORED = -100
"""Label of a position that carries no loss."""
HEAD = 0
"""Segment of the head; turns are numbered from 1."""
PADDING = -1
"""Segment of a position that pads a batch."""

_WIDTH = 32
"""Tokens by which batches widen: at most a tenth more work at usual lengths."""
_WINDOW = 32
"""Packs among which lengths are grouped: wide enough to match, and still shuffled."""


class Turn(NamedTuple):
    """One question and the answer to learn, as tokens."""

    tail: tuple[int, ...]
    target: tuple[int, ...]
    """Ends with the model's end token: it must learn to stop."""


@dataclass(frozen=True, slots=True)
class Example:
    """Questions about one head, such as the questions about one set of passages."""

    head: tuple[int, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """One sequence. Axis T: its tokens."""

    tokens_T: npt.NDArray[np.int64]
    positions_T: npt.NDArray[np.int64]
    segments_T: npt.NDArray[np.int64]
    labels_T: npt.NDArray[np.int64]
    """The token itself on answers, `IGNORED` elsewhere."""

    def __len__(self) -> int:
        return len(self.tokens_T)

    @property
    def targets(self) -> int:
        """Positions that carry loss."""
        return int((self.labels_T != IGNORED).sum())


class Packing(NamedTuple):
    """What became of the examples."""

    packs: list[Pack]
    turns: int
    too_long: int
    """Turns left out because head and turn alone exceed a pack: shown, never cut."""


def pack_examples(
    examples: Sequence[Example], *, pack_tokens: int, longest: int | None = None
) -> Packing:
    """Lay each example's turns behind its head, in as few packs as its length needs.

    An answer is never cut: a turn that does not fit even alone is left out and counted.

    Args:
        examples: What to lay out.
        pack_tokens: Tokens that a pack of several turns may have.
        longest: Tokens that a pack of one turn may have; `pack_tokens` if not given.

    Raises:
        DataError: Nothing is left to train on.
    """
    packs: list[Pack] = []
    kept = too_long = 0
    most = max(pack_tokens, longest or 0)
    for example in examples:
        waiting: list[Turn] = []
        used = len(example.head)
        for turn in example.turns:
            size = len(turn.tail) + len(turn.target)
            if len(example.head) + size > most:
                too_long += 1
                continue
            if waiting and used + size > pack_tokens:
                packs.append(_lay_out(example.head, waiting))
                waiting, used = [], len(example.head)
            waiting.append(turn)
            used += size
            kept += 1
        if waiting:
            packs.append(_lay_out(example.head, waiting))
    if not packs:
        raise DataError(
            f"no training example fits: {too_long} exceed {most} tokens",
            fix="raise train.pack_tokens, or give shorter passages",
            where="training data",
        )
    return Packing(packs, kept, too_long)


def _lay_out(head: Sequence[int], turns: Sequence[Turn]) -> Pack:
    tokens = list(head)
    positions = list(range(len(head)))
    segments = [HEAD] * len(head)
    labels = [IGNORED] * len(head)
    for number, (tail, target) in enumerate(turns, start=1):
        assert target, "an answer has at least its end token"
        size = len(tail) + len(target)
        tokens += [*tail, *target]
        positions += range(len(head), len(head) + size)
        segments += [number] * size
        labels += [IGNORED] * len(tail) + list(target)
    return Pack(
        np.array(tokens, dtype=np.int64),
        np.array(positions, dtype=np.int64),
        np.array(segments, dtype=np.int64),
        np.array(labels, dtype=np.int64),
    )


def plan_steps(
    packs: Sequence[Pack], settings: TrainSettings, *, seed: int
) -> list[list[int]]:
    """Decide which packs each optimiser step is made of, for the whole training.

    The plan depends on lengths and seed alone, so a training that is resumed follows
    it from where it stood. Every epoch is shuffled anew; packs of a step are of like
    length, so that a batch of them is padded little.

    Returns:
        Indices into `packs`, one list a step, each of about `batch_tokens` tokens.
    """
    rng = np.random.default_rng(seed)
    lengths = [len(pack) for pack in packs]
    budget = min(settings.max_tokens, int(settings.epochs * sum(lengths)))
    steps: list[list[int]] = []
    spent = 0
    while spent < budget:
        order = rng.permutation(len(packs))
        epoch: list[list[int]] = []
        for start in range(0, len(order), _WINDOW):
            window = sorted(
                (int(i) for i in order[start : start + _WINDOW]),
                key=lambda i: (lengths[i], i),
            )
            epoch += _fill(window, lengths, settings.batch_tokens)
        for number in rng.permutation(len(epoch)):
            if spent >= budget:
                break
            steps.append(epoch[number])
            spent += sum(lengths[i] for i in epoch[number])
    return steps


def _fill(window: Sequence[int], lengths: Sequence[int], size: int) -> list[list[int]]:
    steps: list[list[int]] = [[]]
    held = 0
    for index in window:
        if steps[-1] and held + lengths[index] > size:
            steps.append([])
            held = 0
        steps[-1].append(index)
        held += lengths[index]
    return steps


def collate(packs: Sequence[Pack]) -> Pack:
    """Stack packs into one batch, padded at the end. Axes become B, T.

    The width is a multiple of `_WIDTH`: the library keeps compiled code for each width
    that it has met, and a training that meets all of them grows by a gigabyte.
    """
    width = -(-max(len(pack) for pack in packs) // _WIDTH) * _WIDTH

    def stack(field: str, fill: int) -> npt.NDArray[np.int64]:
        rows = [getattr(pack, field) for pack in packs]
        return np.stack(
            [np.pad(row, (0, width - len(row)), constant_values=fill) for row in rows]
        )

    return Pack(
        stack("tokens_T", 0),
        stack("positions_T", 0),
        stack("segments_T", PADDING),
        stack("labels_T", IGNORED),
    )


def may_attend(segments_B_T: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which key (last axis) each query position sees, of shape `(B, T, T)`.

    A position sees the head and its own turn, up to itself. Padding sees itself, so
    that no row of a softmax is empty.
    """
    queries, keys = segments_B_T[:, :, None], segments_B_T[:, None, :]
    width = segments_B_T.shape[1]
    earlier = np.tri(width, dtype=np.bool_)[None]
    shared = (keys == HEAD) & (queries != PADDING)
    return (shared | (keys == queries)) & earlier
