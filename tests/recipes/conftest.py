"""A whole comparison on a tiny world, made once for all tests that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from groundtune.config.compare import CompareSettings
from groundtune.config.training import TrainSettings
from groundtune.data.worlds import World, make_world, write_world
from groundtune.recipes.compare import compare

if TYPE_CHECKING:
    from pathlib import Path

TINY = CompareSettings(
    diagnostics=("right_passage_tuned", "nearest_answer"),
    limit=4,
    style_cases=1,
    probe_cases=3,
    dev_cases=2,
    answer_tokens=12,
    closed_book=TrainSettings(max_tokens=500, warmup_steps=1, evaluations=1),
    context=TrainSettings(max_tokens=500, warmup_steps=1, evaluations=1),
)
"""Every step of a comparison, each as small as it can be."""


class Finished(NamedTuple):
    """A run and what it was made from."""

    run: Path
    world: World
    folder: Path
    settings: CompareSettings

    def again(self) -> None:
        """Give the same command once more."""
        self.compared(self.run)

    def compared(
        self, out: Path, *, settings: CompareSettings = TINY, **options: Any
    ) -> None:
        """Compare on the same world into another folder, with other options."""
        _run_tiny(self.folder, out, settings=settings, **options)


def _run_tiny(
    folder: Path, out: Path, *, settings: CompareSettings = TINY, **options: Any
) -> None:
    """Compare on the world in `folder`; interrupted, it goes on."""
    compare(
        "qa",
        train=folder / "train.jsonl",
        dev=folder / "dev.jsonl",
        test=folder / "test.jsonl",
        docs=[folder / "docs"],
        out=out,
        settings=settings,
        **options,
    )


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished run of every arm on real models."""
    base = tmp_path_factory.mktemp("comparison")
    world = make_world(3, size="tiny")
    write_world(world, base / "world")
    _run_tiny(base / "world", base / "run")
    return Finished(base / "run", world, base / "world", TINY)
