"""Run one step in a process of its own, and hear from it.

Each system and each training gets a fresh process: no cache of one model can reach
another, memory is measured where it is used and is free afterwards, and the libraries
of one step never load in the next. The child dies with its parent, even by kill -9.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from groundtune.core.errors import GroundtuneError
from groundtune.core.protocols import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from groundtune.core.protocols import Progress

_PR_SET_PDEATHSIG = 1
_KIB_PER_MB = 1000 * 1000 / 1024


class Channel(Protocol):
    """What a step in a child may say while it works."""

    def emit(self, item: object) -> None:
        """Hand one finished piece of work to the parent, in order."""
        ...

    def progress(self, label: str, done: int, total: int | None) -> None:
        """See `core.protocols.Progress`."""
        ...


class Finished(NamedTuple):
    """What came of a step."""

    result: Any
    peak_memory_mb: float
    """Largest resident set of the child, in units of 10^6 bytes."""
    seconds: float


def run_in_child(
    work: Callable[[Any, Channel], Any],
    job: object,
    *,
    on_item: Callable[[Any], None] | None = None,
    progress: Progress = silent,
) -> Finished:
    """Call `work(job, channel)` in a new process and wait for it.

    Args:
        work: A function at the top of a module; it is imported by name.
        job: Its argument; must pickle.
        on_item: Called here with each item that the child emits.
        progress: Told what the child tells its channel.

    Raises:
        GroundtuneError: The one that the child raised.
        RuntimeError: The child failed otherwise, or was killed.
    """
    start = time.perf_counter()
    child, channel = start_child()
    try:
        channel.send((work.__module__, work.__qualname__, job))
        while True:
            kind, *content = channel.recv()
            if kind == "progress":
                progress(*content)
            elif kind == "item":
                if on_item:
                    on_item(*content)
            else:
                break
    except EOFError:
        child.wait()
        raise RuntimeError(_killed(work.__qualname__, child.returncode)) from None
    finally:
        channel.close()
        if child.poll() is None:
            # After its last word it only has to exit; before, it must stop.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.0 if sys.exc_info()[0] else 20.0)
            child.kill()
        child.wait()
    if kind == "error":
        error, trace = content
        if isinstance(error, GroundtuneError):
            raise error
        msg = f"{work.__qualname__} failed in its process:\n{trace}"
        raise RuntimeError(msg) from error
    result, peak = content
    return Finished(result, peak, time.perf_counter() - start)


def start_child(
    environment: Mapping[str, str] | None = None,
) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start a process that waits for its work, and the channel to it.

    It is sent module, name and job; it answers as `run_in_child` reads.

    Args:
        environment: The whole of it; this process's own if not given.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if _has_fileno() else subprocess.DEVNULL,
            env=environment,
        )
        return child, Connection(ours.detach())


def _has_fileno() -> bool:
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _killed(name: str, code: int) -> str:
    if code == -signal.SIGKILL:
        return f"{name}: its process was killed, perhaps for want of memory"
    return f"{name}: its process ended with code {code} before its work was done"


class _Line:
    """The child's end of the channel."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def emit(self, item: object) -> None:
        self._connection.send(("item", item))

    def progress(self, label: str, done: int, total: int | None) -> None:
        self._connection.send(("progress", label, done, total))


def _die_with_parent() -> None:
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the request was in place
        os._exit(1)


def _main() -> None:
    _die_with_parent()
    # Ctrl-C reaches the whole terminal group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    module, name, job = connection.recv()
    try:
        work = getattr(importlib.import_module(module), name)
        result = work(job, _Line(connection))
        answer = ("result", result, _peak_memory_mb())
    except Exception as error:  # noqa: BLE001 (everything crosses to the parent)
        answer = ("error", _portable(error), traceback.format_exc())
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.send(answer)
    connection.close()
    sys.stdout.flush()
    sys.stderr.flush()
    # Runtimes with thread pools can take seconds to fold up, or hang.
    os._exit(0)


def _peak_memory_mb() -> float:
    """Largest resident set of this process since it began its own program."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the parent's memory, which a fork shares for a moment.
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) / _KIB_PER_MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MB


def _portable(error: Exception) -> Exception:
    """The error itself where it pickles, else its words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (our own object)
    except Exception:  # noqa: BLE001 (whatever a foreign __reduce__ does)
        return RuntimeError(str(error))
    return error


if __name__ == "__main__":
    _main()
