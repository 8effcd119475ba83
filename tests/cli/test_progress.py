"""Progress is a bar on a terminal and a line now and then elsewhere."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from groundtune.cli.progress import ProgressDisplay, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_at_most_every_five_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressDisplay(stream, clock=clock) as progress:
        for done in range(101):
            clock.now = done / 10
            progress("embed", done, 100)

    lines = stream.getvalue().splitlines()
    assert lines == [
        "embed: 0/100",
        "embed: 50/100, 10.0 a second, 5 s left",
        "embed: 100/100",
    ]


def test_a_new_step_is_shown_at_once() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressDisplay(stream, clock=clock) as progress:
        progress("read", 1, None)
        progress("embed", 0, 9)

    assert stream.getvalue() == "read: 1\nembed: 0/9\n"


def test_an_end_told_twice_is_shown_once() -> None:
    stream = io.StringIO()
    with ProgressDisplay(stream, clock=Clock()) as progress:
        progress("fetch", 3, 3)
        progress("fetch", 3, 3)

    assert stream.getvalue() == "fetch: 3/3\n"


def test_terminal_shows_rate_and_count() -> None:
    stream = Terminal()
    with ProgressDisplay(stream) as progress:
        progress("embed", 0, 4)
        progress("embed", 4, 4)

    assert "embed" in stream.getvalue()
    assert "4/4" in stream.getvalue()


@given(
    done=st.integers(min_value=0, max_value=10**9),
    total=st.none() | st.integers(min_value=0, max_value=10**9),
    rate=st.floats(min_value=0, max_value=1e9, allow_nan=False),
)
def test_a_line_is_one_line(done: int, total: int | None, rate: float) -> None:
    line = progress_line("step", done, total, rate=rate)

    assert line.startswith(f"step: {done}")
    assert "\n" not in line
