"""How far a long job is, on standard error: a bar on a terminal, else a line at times.

Standard output is for results alone, so nothing here ever writes to it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from groundtune.core.protocols import NOTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import TextIO

_LINE_EVERY_SECONDS = 5.0
_SLOW = 0.1
"""Units a second below which the seconds a unit say more."""


class ProgressDisplay:
    """Implements `core.protocols.Progress`; use it as a context manager.

    Args:
        stream: Where to write; standard error if None.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._bars: Any = None
        self._steps: dict[str, Any] = {}
        self._label = ""
        self._begun = 0.0
        self._begun_at = 0
        self._last_line = float("-inf")
        self._last_done = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, label: str, done: int, total: int | None) -> None:
        """Show `done` of `total` units of the step `label`."""
        if self._stream.isatty():
            self._draw(label, done, total)
        else:
            self._write(label, done, total)

    def pause(self) -> None:
        """Take the bars away, so that a question can be asked."""
        if self._bars is not None:
            self._bars.stop()
            self._bars, self._steps = None, {}

    def tell(self, text: str) -> None:
        """Write a line of its own above the bars."""
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            self._stream.write(text + "\n")
            self._stream.flush()

    def _draw(self, label: str, done: int, total: int | None) -> None:
        if self._bars is None:
            self._bars = _bars(self._stream)
            self._bars.start()
        name = label.partition(NOTE)[0]
        if name not in self._steps:
            # A step that another one follows has ended, whether it said so or not.
            self._steps[name] = self._bars.add_task(label, total=total)
        self._bars.update(
            self._steps[name], completed=done, total=total, description=label
        )

    def _write(self, label: str, done: int, total: int | None) -> None:
        now = self._clock()
        if (name := label.partition(NOTE)[0]) != self._label:
            self._label = name
            self._begun, self._begun_at = now, done
            self._last_line, self._last_done = float("-inf"), -1
        is_end = total is not None and done >= total
        if now - self._last_line < _LINE_EVERY_SECONDS and not is_end:
            return
        if is_end and done == self._last_done:
            return
        self._last_line, self._last_done = now, done
        rate = (done - self._begun_at) / max(now - self._begun, 1e-9)
        self._stream.write(progress_line(label, done, total, rate=rate) + "\n")
        self._stream.flush()


def progress_line(label: str, done: int, total: int | None, *, rate: float) -> str:
    """One line, such as `embed: 120/2067, 57.0 a second, 34 s left`.

    Args:
        label: The step.
        done: Units done.
        total: Units in all, None if not known.
        rate: Units a second; 0 if not known yet.
    """
    parts = [f"{label}: {done}" if total is None else f"{label}: {done}/{total}"]
    if rate > 0 and done != total:
        slow = rate < _SLOW
        parts.append(f"{1 / rate:.0f} s each" if slow else f"{rate:.1f} a second")
        if total is not None:
            parts.append(f"{(total - done) / rate:.0f} s left")
    return ", ".join(parts)


def _bars(stream: TextIO) -> Any:  # noqa: ANN401 (rich is imported only here)
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units a second."""

        def render(self, task: Any) -> Text:  # noqa: ANN401 (rich's Task)
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(file=stream),
    )
