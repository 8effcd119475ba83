from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import DataError
from groundtune.recipes.child import run_in_child

if TYPE_CHECKING:
    from groundtune.recipes.child import Channel


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The child imports the work by name: put this file where it finds it."""
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent))
    for work in (double, fail, crash, strange):
        work.__module__ = "test_child"


def double(job: int, channel: Channel) -> int:
    for number in range(job):
        channel.progress("counting", number, job)
        channel.emit(number)
    return 2 * job


def fail(job: str, _channel: Channel) -> None:
    raise DataError(job, fix="mend it", where="file.txt:3")


def crash(_job: None, _channel: Channel) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def strange(_job: None, _channel: Channel) -> None:
    raise ZeroDivisionError("deep inside")


def test_items_progress_and_result_come_back_in_order() -> None:
    items: list[int] = []
    told: list[int] = []

    done = run_in_child(
        double,
        3,
        on_item=items.append,
        progress=lambda _label, n, _total: told.append(n),
    )

    assert done.result == 6
    assert items == told == [0, 1, 2]
    assert 1 < done.peak_memory_mb < 2000


def test_a_users_error_crosses_whole() -> None:
    with pytest.raises(DataError) as caught:
        run_in_child(fail, "broken line")

    assert str(caught.value) == "file.txt:3: broken line\n  fix: mend it"


def test_our_own_error_carries_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)in strange.*deep inside"):
        run_in_child(strange, None)


def test_a_killed_child_is_reported() -> None:
    with pytest.raises(RuntimeError, match="killed, perhaps for want of memory"):
        run_in_child(crash, None)


def test_an_error_in_the_parent_ends_the_child() -> None:
    def refuse(_item: int) -> None:
        raise KeyboardInterrupt

    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_in_child(double, 3, on_item=refuse)

    assert time.perf_counter() - start < 20


PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import test_child
from groundtune.recipes.child import run_in_child
run_in_child(test_child.sleep_long, None, on_item=lambda pid: print(pid, flush=True))
"""


def sleep_long(_job: None, channel: Channel) -> None:
    channel.emit(os.getpid())
    time.sleep(60)


def test_the_child_dies_when_its_parent_is_killed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(request.path.parent)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if _is_zombie(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} outlived its parent")


def _is_zombie(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"
