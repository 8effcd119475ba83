"""kill -9 at named points of the code and at random moments."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

KILLED = -9

USUAL_POINTS = [
    "engine LanceMergeInsertBuilder.execute return",
    "ledger.Ledger.acknowledge call",
]
"""Some of those that the full run finds by itself."""


def crash_at(
    lab: Any, original: Path, state: dict[str, str], point: str, nth: int = 1
) -> None:
    lab.fresh(original)
    operations = lab.work.scenario(state)

    (end,) = lab.nursery.run(lab.job(operations, point=point, nth=nth))

    assert end == KILLED, (point, end, lab.error())
    before, target = lab.states(operations, state)
    lab.work.check(lab.kb, before=before, target=target)
    lab.work.mended(lab.kb)


@pytest.mark.parametrize("point", USUAL_POINTS[:1])
def test_killed_at_a_named_point_nothing_acknowledged_is_lost(
    lab: Any, original: Path, first_state: dict[str, str], point: str
) -> None:
    crash_at(lab, original, first_state, point)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_every_named_point_nothing_acknowledged_is_lost(
    lab: Any, original: Path, first_state: dict[str, str], tmp_path: Path
) -> None:
    record = tmp_path / "points.json"
    operations = lab.work.scenario(first_state)
    ended = lab.nursery.run(lab.job(operations, record=str(record)))
    assert ended == [0], lab.error()
    assert lab.work.observed(lab.kb) == lab.states(operations, first_state)[0]
    points: dict[str, int] = json.loads(record.read_text())
    assert len(points) >= 60
    assert set(USUAL_POINTS) <= points.keys()

    for number, (point, count) in enumerate(sorted(points.items())):
        # At an early or a late time that it is passed, so that all operations are met.
        crash_at(lab, original, first_state, point, 1 + number * 7 % count)
        if number % 20 == 19:
            sys.stdout.write(f"{number + 1} of {len(points)} named points\n")
            sys.stdout.flush()


@pytest.mark.parametrize(
    "kills",
    [
        2,
        pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
def test_killed_at_random_moments_nothing_acknowledged_is_lost(
    lab: Any, first_state: dict[str, str], kills: int
) -> None:
    rng = np.random.default_rng(7)
    state, acknowledged, interrupted = first_state, 0, 0

    for turn in range(kills):
        operations = lab.plan(2 + 40 * turn, state, rng)

        (end,) = lab.nursery.run(
            lab.job(operations, kill_after=float(rng.uniform(0.05, 1.0)))
        )

        assert end == KILLED, (end, lab.error())
        before, target = lab.states(operations, state)
        state = lab.work.check(lab.kb, before=before, target=target)
        acknowledged += lab.acknowledged()
        interrupted += state != before

    lab.work.mended(lab.kb)
    # A busy machine may not finish one in so few tries.
    assert acknowledged > 0 or kills < 10
    sys.stdout.write(
        f"{kills} kills, {acknowledged} operations acknowledged, {interrupted} kills "
        "found a later state\n"
    )


def test_three_writers_at_once_are_refused_or_wait_and_write_nothing_twice(
    lab: Any, first_state: dict[str, str]
) -> None:
    same = {name: f"{name}@2" for name in first_state} | {"new": "new@1"}
    jobs = [
        lab.job([{"kind": "update", "documents": same}] * 3, acks=f"{lab.acks}-{n}")
        for n in range(3)
    ]

    ends = lab.nursery.run(*jobs)

    assert set(ends) <= {0, 8}
    assert 0 in ends
    for number, end in enumerate(ends):
        if end:
            said = (lab.folder / f"acks-{number}.error").read_text()
            assert "in use by another groundtune process" in said
    lab.work.check(lab.kb, before=same, target=same)


@pytest.mark.slow
def test_three_makers_of_one_base_make_one(
    lab: Any, first_state: dict[str, str]
) -> None:
    operation = {"kind": "ingest", "documents": first_state}
    jobs = [
        {**lab.job([operation], acks=f"{lab.acks}-{n}"), "kb": str(lab.folder / "new")}
        for n in range(3)
    ]

    ends = lab.nursery.run(*jobs)

    assert set(ends) <= {0, 8}
    assert 0 in ends
    lab.work.check(lab.folder / "new", before=first_state, target=first_state)
