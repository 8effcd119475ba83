"""What a process that reads documents may still do: compute, and answer.

Called once in the child, before the first document. Limits of the system bound what it
uses; a filter of system calls takes away the network, other processes and every change
to a file; Landlock leaves it only the files of Python itself to read. A hook inside
Python refuses the same where the system offers no filter. What holds is returned, so
that nobody has to believe it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPEN_FILES = 64
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _IS_EQUAL, _HAS_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050001
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_WRITING = 0o3 | os.O_CREAT | os.O_TRUNC
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_O_PATH = 0o10000000

_REFUSED_EVENTS = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "shutil.",
    "urllib.Request",
)


class _Calls(NamedTuple):
    """Numbers of system calls on one kind of processor."""

    architecture: int
    refused: tuple[int, ...]
    opening: tuple[tuple[int, int], ...]
    """Calls that open a file, and which argument says how."""


# Network; other processes; changes of names, contents and rights; io_uring and openat2,
# which can do all of it unseen; namespaces, tracing, keys, bpf.
_X86_64 = _Calls(
    0xC000003E,
    (
        *(41, 42, 43, 44, 46, 49, 50, 53, 288, 307),
        *(56, 57, 58, 59, 62, 101, 200, 234, 297, 310, 311, 322, 424, 434, 435, 438),
        *(76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 132, 133, 188, 189),
        *(190, 235, 258, 259, 260, 261, 263, 264, 265, 266, 268, 280, 285, 316, 437),
        *(161, 165, 166, 248, 249, 250, 272, 298, 308, 321, 323, 425, 426, 427),
    ),
    ((2, 1), (257, 2)),
)
_AARCH64 = _Calls(
    0xC00000B7,
    (
        *(198, 199, 200, 201, 202, 203, 206, 211, 242, 269),
        *(117, 129, 130, 131, 138, 220, 221, 270, 271, 281, 424, 434, 435, 438),
        *(5, 6, 7, 33, 34, 35, 36, 37, 38, 45, 46, 47, 52, 53, 54, 55, 88, 276, 437),
        *(39, 40, 51, 97, 217, 218, 219, 241, 268, 280, 282, 425, 426, 427),
    ),
    ((56, 2),),
)
_CALLS = {"x86_64": _X86_64, "aarch64": _AARCH64}


def confine(*, memory_bytes: int) -> tuple[str, ...]:
    """Confine this process for good.

    Returns:
        What took hold, of `memory`, `files`, `landlock`, `seccomp` and `hook`. The
        system decides: the first two everywhere on Unix, the next two on Linux only.
    """
    held: list[str] = []
    if _limited(resource.RLIMIT_AS, memory_bytes):
        held.append("memory")
    _limited(resource.RLIMIT_CORE, 0)
    _limited(resource.RLIMIT_NPROC, 0)
    if _limited(resource.RLIMIT_FSIZE, 0) and _limited(
        resource.RLIMIT_NOFILE, _OPEN_FILES
    ):
        held.append("files")
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if _readable_only(library, _folders_of_python()):
            held.append("landlock")
        calls = _CALLS.get(platform.machine())
        if calls is not None and _filtered(library, calls):
            held.append("seccomp")
    sys.addaudithook(_refuse)
    held.append("hook")
    return tuple(held)


def _limited(kind: int, value: int) -> bool:
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        return False
    return True


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(_REFUSED_EVENTS):
        msg = f"{event} is not allowed while a document is read"
        raise PermissionError(msg)
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        msg = "writing a file is not allowed while a document is read"
        raise PermissionError(msg)


def _folders_of_python() -> list[Path]:
    """Where modules and shared libraries are loaded from."""
    package = Path(__file__).resolve().parents[1]
    named = [Path(entry) for entry in sys.path if entry]
    system = [Path("/lib"), Path("/lib64"), Path("/usr/lib"), Path("/usr/lib64")]
    return [package, *named, Path(sys.prefix), Path(sys.base_prefix), *system]


def _readable_only(library: ctypes.CDLL, folders: Sequence[Path]) -> bool:
    """Landlock: no file outside these folders can be opened any more."""
    handled = struct.pack("=Q", _READ_FILE | _READ_FOLDER)
    rules = library.syscall(_LANDLOCK_CREATE, handled, len(handled), 0)
    if rules < 0:
        return False
    try:
        for folder in {folder.resolve() for folder in folders if folder.is_dir()}:
            opened = os.open(folder, _O_PATH | os.O_CLOEXEC)
            rule = struct.pack("=Qi", _READ_FILE | _READ_FOLDER, opened)
            library.syscall(_LANDLOCK_ADD, rules, 1, rule, 0)
            os.close(opened)
        return library.syscall(_LANDLOCK_RESTRICT, rules, 0) == 0
    finally:
        os.close(rules)


def _filtered(library: ctypes.CDLL, calls: _Calls) -> bool:
    """Seccomp: the system refuses these calls from now on, whoever makes them."""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IS_EQUAL, 1, 0, calls.architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        # The other numbering of the same processor has this bit in every number.
        (_HAS_BITS, 0, 1, 0x40000000),
        (_RETURN, 0, 0, _KILL),
    ]
    for number in calls.refused:
        steps += [(_IS_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    for number, argument in calls.opening:
        steps += [
            (_IS_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument),
            (_HAS_BITS, 0, 1, _WRITING),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ]
    steps.append((_RETURN, 0, 0, _ALLOW))
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(steps), ctypes.addressof(buffer))
    return library.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0) == 0
