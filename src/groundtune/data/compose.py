"""Text and blocks, built part by part: what readers that extract text share.

Parts are separated by blank lines, so that a block ends where its part does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from groundtune.core.values import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["heading", "paragraph", "list", "code", "table"]

_BETWEEN = "\n\n"


class Composer:
    """Collects parts; `text` and `blocks` are the document at any time."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.length = 0
        """Characters so far: where the next part begins, but for a blank line."""
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """All parts, with blank lines between."""
        return "".join(self._parts)

    @property
    def following(self) -> int:
        """Offset at which the next part begins."""
        return self.length + len(_BETWEEN) if self._parts else 0

    def add(self, kind: Kind, content: str, *, level: int = 0) -> None:
        """Add one block; content of white space only is passed over."""
        if not content.strip():
            return
        start = self._append(content)
        self.blocks.append(Block(kind, start, self.length, level))

    def extend(self, text: str, blocks: Iterable[Block]) -> None:
        """Add a text that has blocks already."""
        if not text.strip():
            return
        start = self._append(text)
        self.blocks.extend(
            block._replace(start=start + block.start, end=start + block.end)
            for block in blocks
        )

    def _append(self, content: str) -> int:
        start = self.following
        if self._parts:
            self._parts.append(_BETWEEN)
        self._parts.append(content)
        self.length = start + len(content)
        return start


def list_lines(items: Sequence[tuple[int, str]]) -> str:
    """Items with their depth, from 0, as lines of a list."""
    lines: list[str] = []
    for depth, content in items:
        indent = "  " * depth
        first, *others = content.split("\n")
        lines.append(f"{indent}- {first}")
        lines.extend(f"{indent}  {line}" for line in others)
    return "\n".join(lines)
