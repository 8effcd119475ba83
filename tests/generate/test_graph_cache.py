"""The cache of graphs stays small, and keeps what is in use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from groundtune.generate.openvino import forget_oldest

if TYPE_CHECKING:
    from pathlib import Path


def test_only_the_last_used_graphs_are_kept(tmp_path: Path) -> None:
    for age in range(12):
        graph = tmp_path / f"openvino-{age:02}" / "openvino_model.xml"
        graph.parent.mkdir()
        graph.write_text("x")
        os.utime(graph, (1_000_000 - age, 1_000_000 - age))
    other = tmp_path / "something-else"
    other.mkdir()

    forget_oldest(tmp_path, but=tmp_path / "openvino-11")

    left = sorted(folder.name for folder in tmp_path.glob("openvino-*"))
    assert left == [*(f"openvino-{age:02}" for age in range(7)), "openvino-11"]
    assert other.exists()
