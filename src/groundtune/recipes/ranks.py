"""Run one training in several processes that work together.

All of them do the same work on the same job, each with a number ("rank"); what the
first returns is the result. They are children like any other (see `child`): they die
with their parent, and when one of them is lost the others are ended at once, since they
would wait for it for ever.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError, GroundtuneError
from groundtune.core.protocols import silent
from groundtune.recipes.child import Finished, run_in_child, start_child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.core.protocols import Progress
    from groundtune.recipes.child import Channel

_GRACE_SECONDS = 3.0
"""A rank that was killed may be heard of after those whose talk with it broke off."""
_FOLD_UP_SECONDS = 20.0
_LOOPBACK = {"darwin": "lo0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Place of one process among those that work together."""

    rank: int
    size: int
    meeting: str
    """File in which they find each other."""
    module: str
    name: str
    job: object


def run_in_ranks(
    work: Callable[[Any, Channel], Any],
    job: object,
    *,
    processes: int,
    on_item: Callable[[Any], None] | None = None,
    progress: Progress = silent,
) -> Finished:
    """Call `work(job, channel)` in so many processes, as `run_in_child` does in one.

    Args:
        work: A function at the top of a module. Each process calls it, and finds the
            others through `tune.distributed.team`.
        job: Its argument; must pickle.
        processes: How many; with 1 this is `run_in_child`.
        on_item: Called here with each item that the first emits.
        progress: Told what the first tells its channel.

    Returns:
        What the first returned, and the memory of all of them.

    Raises:
        GroundtuneError: The one that a process raised, or one of them was lost.
        RuntimeError: One failed otherwise.
    """
    if processes < 1:
        raise ConfigError(
            f"processes is {processes}", fix="use 1 or more", where="processes"
        )
    if processes == 1:
        return run_in_child(work, job, on_item=on_item, progress=progress)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        crew: list[_Rank] = []
        try:
            for rank in range(processes):
                seat = Seat(
                    rank=rank,
                    size=processes,
                    meeting=str(Path(folder) / "meeting"),
                    module=work.__module__,
                    name=work.__qualname__,
                    job=job,
                )
                crew.append(_Rank(*start_child(_environment(seat))))
                crew[-1].channel.send((__name__, take_seat.__qualname__, seat))
            answers = _listen(crew, on_item=on_item, progress=progress)
            for one in crew:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.process.wait(timeout=_FOLD_UP_SECONDS)
        finally:
            for one in crew:
                one.channel.close()
                one.process.kill()
            for one in crew:
                one.process.wait()
    memory = sum(peak for _, peak in answers)
    return Finished(answers[0][0], memory, time.perf_counter() - start)


def take_seat(seat: Seat, channel: Channel) -> Any:  # noqa: ANN401 (the work's own)
    """Join the others and work with them; what every rank runs.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        ConfigError: There are fewer accelerators than processes.
    """
    from groundtune.tune.distributed import join

    join(rank=seat.rank, size=seat.size, meeting=Path(seat.meeting))
    return getattr(importlib.import_module(seat.module), seat.name)(seat.job, channel)


@dataclass(frozen=True, slots=True)
class _Rank:
    process: subprocess.Popen[bytes]
    channel: Connection


def _environment(seat: Seat) -> Mapping[str, str]:
    """Ours, and what libraries expect to find there in one process of several."""
    rank, size = str(seat.rank), str(seat.size)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    threads = str(max(1, (cores or os.cpu_count() or 1) // seat.size))
    return {
        **os.environ,  # noqa: TID251 (passed on whole, and not read)
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": size,
        "LOCAL_WORLD_SIZE": size,
        "MASTER_ADDR": "127.0.0.1",
        "OMP_NUM_THREADS": threads,
        # Gradients of a person's data are not to be heard outside this machine.
        "GLOO_SOCKET_IFNAME": _LOOPBACK.get(sys.platform, "lo"),
        "NCCL_SOCKET_IFNAME": _LOOPBACK.get(sys.platform, "lo"),
    }


def _listen(
    crew: Sequence[_Rank],
    *,
    on_item: Callable[[Any], None] | None,
    progress: Progress,
) -> list[tuple[Any, float]]:
    """Hear all of them to their end; result and memory of each, in order."""
    ranks = {one.channel: rank for rank, one in enumerate(crew)}
    answers: dict[int, tuple[Any, float]] = {}
    while len(answers) < len(crew):
        waiting = [c for c, rank in ranks.items() if rank not in answers]
        for channel in wait(waiting):
            assert isinstance(channel, Connection), "nothing else was waited for"
            rank = ranks[channel]
            try:
                kind, *content = channel.recv()
            except (EOFError, ConnectionResetError):
                raise _lost(crew, first=rank) from None
            if kind == "error":
                error, trace = content
                if isinstance(error, GroundtuneError):
                    raise error
                if _died(crew, within=_GRACE_SECONDS):
                    raise _lost(crew, first=rank) from error
                msg = f"process {rank + 1} of {len(crew)} failed:\n{trace}"
                raise RuntimeError(msg) from error
            if kind == "result":
                result, peak = content
                answers[rank] = (result, peak)
            elif kind == "progress" and rank == 0:
                progress(*content)
            elif kind == "item" and rank == 0 and on_item:
                on_item(*content)
    return [answers[rank] for rank in range(len(crew))]


def _died(crew: Sequence[_Rank], *, within: float) -> list[int]:
    """Ranks that a signal ended, as soon as there is one."""
    end = time.perf_counter() + within
    while True:
        codes = [one.process.poll() for one in crew]
        dead = [
            rank for rank, code in enumerate(codes) if code is not None and code < 0
        ]
        if dead or time.perf_counter() > end:
            return dead
        time.sleep(0.05)


def _lost(crew: Sequence[_Rank], *, first: int) -> GroundtuneError:
    """What is said of a process that is gone."""
    rank = next(iter(_died(crew, within=_GRACE_SECONDS)), first)
    code = crew[rank].process.poll()
    how = (
        f"was ended by signal {-code}, perhaps for want of memory"
        if code is not None and code < 0
        else f"ended with code {code} before its work was done"
    )
    return GroundtuneError(
        f"process {rank + 1} of {len(crew)} (rank {rank}) {how}; the others were "
        "stopped",
        fix="run the same command again: training goes on from its last checkpoint; "
        "fewer --processes take less memory",
        where="training",
    )
