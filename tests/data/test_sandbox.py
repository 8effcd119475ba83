"""What a document cannot do to those who read it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import DataError
from groundtune.data.read import read_document
from groundtune.data.sandbox import Limits, Sandbox

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


class _Slow(Sandbox):
    """A sandbox whose child is told to wait instead of to read."""

    def _start(self) -> Any:
        child = super()._start()
        os.kill(child.pid, signal.SIGSTOP)  # it neither answers nor dies
        return child


def test_a_file_that_hangs_the_reader_is_given_up(tmp_path: Path) -> None:
    path = write(tmp_path / "a.html", "<p>x</p>")

    with (
        _Slow(Limits(seconds=0.3)) as box,
        pytest.raises(DataError, match=r"took more than 0\.3 seconds") as error,
    ):
        box.read(path, name="a.html")

    assert error.value.where == str(path)


def test_a_crash_of_the_reader_costs_one_file_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.html", "<p>Still here.</p>")

    with Sandbox() as box:
        assert box.read(path, name="a").text == "Still here."
        child = box.pid
        assert child
        os.kill(child, signal.SIGSEGV)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

        assert box.read(path, name="a").text == "Still here."
        assert box.pid != child


def test_a_file_that_fills_the_memory_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "big.html", b"<p>" + b"x" * (100 << 20))

    with (
        Sandbox(Limits(memory_bytes=256 << 20)) as box,
        pytest.raises(DataError, match="more than 256 MiB of memory"),
    ):
        box.read(path, name="big")


def test_a_file_that_burns_the_processor_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "deep.html", "<div>" * 100_000 + "x")

    with (
        Sandbox(Limits(cpu_seconds=1)) as box,
        pytest.raises(DataError, match="1 seconds of processor time"),
    ):
        box.read(path, name="deep")


def test_the_working_folder_cannot_replace_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "json.py", "raise SystemExit('hijacked')")
    path = write(tmp_path / "a.html", "<p>fine</p>")
    monkeypatch.chdir(tmp_path)

    assert read_document(path, root=tmp_path).text == "fine"


def test_a_file_above_the_limit_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        file.truncate(300 << 20)

    with Sandbox() as box:
        with pytest.raises(DataError, match="300 MiB, at most 256 are read"):
            box.read(path, name="big")
        assert box.pid is None


def test_a_pipe_with_the_name_of_a_document_hangs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    os.mkfifo(path)

    with Sandbox() as box, pytest.raises(DataError, match="not a regular file"):
        box.read(path, name="a")


def test_text_without_end_is_not_taken_in(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "word " * 100_000)

    with (
        Sandbox(Limits(answer_bytes=1 << 18)) as box,
        pytest.raises(DataError, match="gives more than 0 MiB of text"),
    ):
        box.read(path, name="a")


ATTEMPTS = {
    "network": "import socket; socket.socket()",
    "network below Python": "libc.socket(2, 1, 0)",
    "program": "import subprocess; subprocess.run(['true'])",
    "program below Python": "libc.execv(b'/bin/true', argv)",
    "child": "os.fork()",
    "child below Python": "libc.fork()",
    "kill the parent": "os.kill(os.getppid(), 0)",
    "kill below Python": "libc.kill(os.getppid(), 0)",
    "write": "open(target, 'w')",
    "write below Python": "libc.open(target.encode(), 0o101, 0o600)",
    "append below Python": "libc.open(known.encode(), 0o2001)",
    "read": "open(known)",
    "read below Python": "libc.open(known.encode(), 0)",
    "remove": "os.remove(known)",
    "remove below Python": "libc.unlink(known.encode())",
    "folder below Python": "libc.mkdir(target.encode(), 0o700)",
    "rights below Python": "libc.chmod(known.encode(), 0o777)",
}
PROBE = """
import ctypes, json, os, sys
from groundtune.data.confine import confine
target, known, attempts = json.loads(sys.argv[1])
libc = ctypes.CDLL(None)
argv = (ctypes.c_char_p * 2)(b'true', None)
held = confine(memory_bytes=1 << 30)
refused = []
for name, code in attempts.items():
    try:
        value = eval(code) if 'import' not in code else exec(code)
        if isinstance(value, int) and value == -1:
            refused.append(name)
    except (OSError, PermissionError):
        refused.append(name)
print(json.dumps([held, refused]))
"""


def test_a_reader_that_is_taken_over_can_do_nothing(tmp_path: Path) -> None:
    known = write(tmp_path / "known", "secret")
    given = json.dumps([str(tmp_path / "target"), str(known), ATTEMPTS])

    answer = subprocess.run(
        [sys.executable, "-P", "-c", PROBE, given],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    held, refused = json.loads(answer)

    expected = set(ATTEMPTS)
    if "seccomp" not in held:
        expected -= {name for name in expected if "below Python" in name}
    if "landlock" not in held:
        expected -= {"read", "read below Python"}
    assert expected <= set(refused)
    assert {"memory", "files", "hook"} <= set(held)
    assert [path.name for path in tmp_path.iterdir()] == ["known"]
    assert known.read_text() == "secret"


def test_the_sandbox_says_what_holds(tmp_path: Path) -> None:
    with Sandbox() as box:
        box.read(write(tmp_path / "a.txt", "x"), name="a")

        assert {"memory", "files", "hook"} <= set(box.protections)
