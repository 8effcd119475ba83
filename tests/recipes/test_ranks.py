"""One job in several processes: all of them, or a word about the one that is gone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import ConfigError, GroundtuneError
from groundtune.recipes.ranks import run_in_ranks
from groundtune.tune.distributed import team

if TYPE_CHECKING:
    from groundtune.recipes.child import Channel


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The ranks import the work by name: put this file where they find it."""
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent))
    meet.__module__ = "test_ranks"


def meet(job: str, channel: Channel) -> tuple[int, int, float | None]:
    """Each gives its number; with "killed", the last of them dies while all wait."""
    crew = team()
    channel.progress(f"rank {crew.rank}", 0, None)
    channel.emit(crew.rank)
    if job == "killed" and crew.rank == crew.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "refused" and crew.rank == 1:
        raise ConfigError("bad", fix="mend it", where="here")
    least = crew.least(10 - crew.rank)
    return crew.rank, least, crew.of_main(float(crew.rank))


@pytest.mark.slow
def test_ranks_find_each_other_and_the_first_answers() -> None:
    told: list[str] = []
    items: list[int] = []

    done = run_in_ranks(
        meet,
        "",
        processes=2,
        on_item=items.append,
        progress=lambda label, _n, _total: told.append(label),
    )

    assert done.result == (0, 9, 0.0)
    assert (told, items) == (["rank 0"], [0])
    assert done.peak_memory_mb > 100


def test_a_killed_rank_ends_all_with_one_clear_word() -> None:
    began = time.perf_counter()

    with pytest.raises(GroundtuneError) as caught:
        run_in_ranks(meet, "killed", processes=2)

    assert time.perf_counter() - began < 60
    assert "process 2 of 2 (rank 1) was ended by signal 9" in caught.value.problem
    assert "run the same command again" in caught.value.fix
    assert not living_children()


@pytest.mark.slow
def test_an_error_of_a_rank_crosses_whole() -> None:
    with pytest.raises(ConfigError, match="bad"):
        run_in_ranks(meet, "refused", processes=2)

    assert not living_children()


def test_no_processes_at_all_are_refused() -> None:
    with pytest.raises(ConfigError, match="processes is 0"):
        run_in_ranks(meet, "", processes=0)


def living_children() -> list[str]:
    """Processes of ours whose work is the ranks'."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [
        pid
        for pid in found
        if "recipes.child" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
