"""`tune qa`: what is scored, and on what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundtune.config.compare import CompareSettings
from groundtune.config.training import TrainSettings
from groundtune.core.errors import ConfigError
from groundtune.data.worlds import make_world, write_world
from groundtune.recipes.tune import tune

if TYPE_CHECKING:
    from pathlib import Path


def test_the_right_passage_is_given_only_where_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no right passage to give"):
        tune(
            "qa",
            train=tmp_path / "train.jsonl",
            test=tmp_path / "test.jsonl",
            out=tmp_path / "model",
            gives_passage=True,
        )


@pytest.mark.parametrize("is_file", [False, True])
def test_what_is_no_model_is_not_written_over(tmp_path: Path, *, is_file: bool) -> None:
    out = tmp_path / "thesis"
    work = out if is_file else out / "chapter.tex"
    work.parent.mkdir(exist_ok=True)
    work.write_text("years of work")
    train = tmp_path / "train.jsonl"
    train.write_text('{"question": "Who?", "answers": ["Ada"]}\n' * 3)

    with pytest.raises(ConfigError, match="stands already and is no model"):
        tune("qa", train=train, out=out)

    assert work.read_text() == "years of work"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_reading_is_scored_beside_retrieval(tmp_path: Path) -> None:
    write_world(make_world(3, size="tiny"), tmp_path / "world")
    few = tmp_path / "test.jsonl"
    lines = (tmp_path / "world/test.jsonl").read_text().splitlines(keepends=True)
    few.write_text("".join(lines[:4]))
    short = TrainSettings(max_tokens=1500, warmup_steps=1, evaluations=1)

    report = tune(
        "qa",
        train=tmp_path / "world/train.jsonl",
        dev=few,
        test=few,
        docs=[tmp_path / "world/docs"],
        out=tmp_path / "model",
        settings=CompareSettings(answer_tokens=12, context=short, dev_cases=2),
        gives_passage=True,
    )

    assert report.test is not None
    assert report.right_passage is not None
    assert 1 <= report.right_passage["n"] <= report.test["n"] == 4
