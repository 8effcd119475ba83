"""Forks a child for each job that comes in as a line of JSON, and tells how it ended.

The libraries are loaded once. A child may be killed after some time, at a named point
of the code, or limited in the size of its files. Points are the calls and returns of
functions of the storing modules, of the engine, and of system calls below them.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lancedb

from groundtune.core.errors import GroundtuneError

if TYPE_CHECKING:
    from types import CodeType, FrameType

HERE = Path(__file__).resolve().parent
LONGEST_SECONDS = 60
PACKAGE = f"{os.sep}groundtune{os.sep}"
MODULES = {
    *("durable", "index", "ledger", "maintenance", "rebuild", "restore", "snapshot"),
    *("stamp", "states", "table", "update", "writer", "files", "folders"),
}
ENGINE = f"{os.sep}lancedb{os.sep}"
ENGINE_CALLS = {
    *("delete", "execute", "optimize", "create_index", "create_table", "open_table"),
    *("checkout_latest", "set_unenforced_primary_key"),
}
SYSTEM_CALLS = {
    *("fsync", "rename", "replace", "unlink", "rmdir", "mkdir", "link", "truncate"),
}

workload: dict[str, Any] = runpy.run_path(str(HERE / "workload.py"))


class Tracer:
    """Counts the points that are passed, or ends the process at one of them."""

    def __init__(self, point: str, nth: int) -> None:
        self.point = point
        self.left = nth
        self.passed: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        name = _point(frame, event, arg)
        if not name:
            return
        self.passed[name] += 1
        if name == self.point:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def _point(frame: FrameType, event: str, arg: Any) -> str:
    if event in {"c_call", "c_return"}:
        name = getattr(arg, "__name__", "")
        if name not in SYSTEM_CALLS:
            return ""
        caller: FrameType | None = frame
        while caller is not None and not _own(caller.f_code):
            caller = caller.f_back
        when = "before" if event == "c_call" else "after"
        return f"{_own(caller.f_code)} {when} {name}" if caller is not None else ""
    own = _own(frame.f_code) or _engine(frame.f_code)
    return f"{own} {event}" if own else ""


@cache
def _own(code: CodeType) -> str:
    module = Path(code.co_filename).stem
    if PACKAGE in code.co_filename and module in MODULES and code.co_name[0] != "<":
        return f"{module}.{code.co_qualname}"
    return ""


@cache
def _engine(code: CodeType) -> str:
    if ENGINE in code.co_filename and code.co_name in ENGINE_CALLS:
        return f"engine {code.co_qualname}"
    return ""


def child(job: dict[str, Any]) -> int:
    """Do a job in this process; return its exit code."""
    warnings.simplefilter("ignore")
    signal.alarm(LONGEST_SECONDS)
    if limit := job.get("file_bytes"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    tracer = Tracer(job.get("point", ""), job.get("nth", 1))
    if job.get("point") or job.get("record"):
        sys.setprofile(tracer)
    try:
        workload[job.get("function", "run")](job)
    except GroundtuneError as error:
        Path(f"{job['acks']}.error").write_text(f"{type(error).__name__}: {error}")
        return error.exit_code
    except BaseException:  # noqa: BLE001 (told to the test, which fails by it)
        Path(f"{job['acks']}.error").write_text(traceback.format_exc())
        return 70
    finally:
        sys.setprofile(None)
    if job.get("record"):
        Path(job["record"]).write_text(json.dumps(tracer.passed))
    return 0


def fork(job: dict[str, Any]) -> int:
    pid = os.fork()
    if not pid:
        code = 71
        try:
            code = child(job)
        finally:
            os._exit(code)
    return pid


def wait_for_work(acks: Path) -> None:
    """Until the first operation has begun, however busy the machine is."""
    for _ in range(10 * LONGEST_SECONDS):
        if acks.exists() and acks.stat().st_size:
            return
        time.sleep(0.005)


def main() -> None:
    assert lancedb.__version__
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        jobs = json.loads(line)
        pids = [fork(job) for job in jobs]
        if (seconds := jobs[0].get("kill_after")) is not None:
            wait_for_work(Path(jobs[0]["acks"]))
            time.sleep(seconds)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        sys.stdout.write(json.dumps(ends) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
