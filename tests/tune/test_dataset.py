from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.config.training import TrainSettings
from groundtune.core.errors import DataError
from groundtune.tune.dataset import (
    HEAD,
    IGNORED,
    PADDING,
    Example,
    Turn,
    collate,
    may_attend,
    pack_examples,
    plan_steps,
)

tokens = st.lists(st.integers(3, 90), min_size=1, max_size=6).map(tuple)
turns = st.builds(Turn, tokens, tokens)
examples = st.builds(Example, tokens, st.lists(turns, max_size=6).map(tuple))


@given(st.lists(examples, max_size=5), st.integers(4, 40))
def test_every_turn_is_packed_whole_or_counted(
    given_examples: list[Example], size: int
) -> None:
    fits = [
        (example.head, turn)
        for example in given_examples
        for turn in example.turns
        if len(example.head) + len(turn.tail) + len(turn.target) <= size
    ]
    total = sum(len(example.turns) for example in given_examples)
    if not fits:
        with pytest.raises(DataError, match="no training example fits"):
            pack_examples(given_examples, pack_tokens=size)
        return

    packing = pack_examples(given_examples, pack_tokens=size)

    laid: list[tuple[tuple[int, ...], Turn]] = []
    for pack in packing.packs:
        assert len(pack) <= size
        head = tuple(pack.tokens_T[pack.segments_T == HEAD].tolist())
        for number in range(1, int(pack.segments_T.max()) + 1):
            own = pack.segments_T == number
            is_answer = pack.labels_T[own] != IGNORED
            words = pack.tokens_T[own]
            assert (words[is_answer] == pack.labels_T[own][is_answer]).all()
            turn = Turn(
                tuple(words[~is_answer].tolist()), tuple(words[is_answer].tolist())
            )
            laid.append((head, turn))
    assert laid == fits
    assert packing.turns == len(fits)
    assert packing.too_long == total - len(fits)


def test_each_turn_goes_on_from_the_head_and_sees_no_neighbour() -> None:
    example = Example((5, 6), (Turn((7,), (8, 2)), Turn((9,), (2,))))
    (pack,) = pack_examples([example], pack_tokens=20).packs

    assert pack.positions_T.tolist() == [0, 1, 2, 3, 4, 2, 3]
    assert pack.segments_T.tolist() == [0, 0, 1, 1, 1, 2, 2]
    sees = may_attend(pack.segments_T[None])[0]
    assert sees[4].tolist() == [True, True, True, True, True, False, False]
    assert sees[5].tolist() == [True, True, False, False, False, True, False]


def test_padding_is_seen_by_nobody_else_and_sees_itself() -> None:
    short = Example((5,), (Turn((7,), (2,)),))
    long = Example((5, 6), (Turn((7,), (8, 2)),))
    packs = pack_examples([short, long], pack_tokens=20).packs

    batch = collate(packs)
    sees = may_attend(batch.segments_T)

    assert batch.segments_T[0].tolist() == [0, 1, 1] + [PADDING] * 29
    assert not sees[0, :3, 3:].any()
    assert sees[0].any(axis=-1).all()
    assert not sees[0, 3:, :3].any()


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=80),
    st.integers(0, 5),
    st.sampled_from([0.5, 1.0, 2.5]),
)
def test_plan_is_repeatable_and_spends_the_budget(
    lengths: list[int], seed: int, epochs: float
) -> None:
    packs = [
        pack_examples(
            [Example((5,) * length, (Turn((7,), (2,)),))], pack_tokens=100
        ).packs[0]
        for length in lengths
    ]
    settings = TrainSettings(epochs=epochs, batch_tokens=64, max_tokens=10_000)

    steps = plan_steps(packs, settings, seed=seed)

    assert steps == plan_steps(packs, settings, seed=seed)
    sizes = [len(pack) for pack in packs]
    spent = sum(sizes[i] for step in steps for i in step)
    budget = int(epochs * sum(sizes))
    assert budget <= spent < budget + 64 + max(sizes)
    assert all(step for step in steps)
    for step in steps:
        assert len(step) == 1 or sum(sizes[i] for i in step) <= 64
    counts = np.bincount([i for step in steps for i in step], minlength=len(packs))
    if epochs == 1.0:
        assert counts.tolist() == [1] * len(packs)


def test_plan_stops_at_the_token_bound() -> None:
    packs = pack_examples(
        [Example((5,) * 10, (Turn((7,), (2,)),)) for _ in range(50)], pack_tokens=20
    ).packs
    settings = TrainSettings(epochs=9.0, batch_tokens=24, max_tokens=100)

    steps = plan_steps(packs, settings, seed=0)

    assert 100 <= sum(12 for step in steps for _ in step) <= 124
