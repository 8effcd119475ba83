"""Published models, tuned for a moment: adapter equals merged equals each export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groundtune.core.values import LabelCase
from groundtune.data.labelled import read_labelled
from groundtune.recipes.export import export
from groundtune.recipes.tune_labels import tune_encoder
from groundtune.recipes.tune_texts import tune_generator_on_texts

COMMENTS = Path(__file__).parents[2] / "docs" / "tutorials" / "comments.csv"
ROWS = 50

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_minilm_answers_alike_everywhere(tmp_path: Path) -> None:
    lines = COMMENTS.read_text(encoding="utf-8").splitlines(keepends=True)
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("".join(lines[:-ROWS]))
    test.write_text("".join([lines[0], *lines[-ROWS:]]))
    tune_encoder(
        "sentiment", train=train, test=test, out=tmp_path / "model", strategy="lora"
    )

    for to in ("merged", "adapter", "onnx", "openvino"):
        made: Any = export(str(tmp_path / "model"), to=to, out=tmp_path / to)

        assert made.figures["rows"] == ROWS
        assert made.figures["same_labels"] == 1.0, to
        assert made.figures["largest_difference"] < 1e-3, to


def test_smollm2_answers_alike_everywhere(tmp_path: Path) -> None:
    cases = read_labelled(COMMENTS, task="sentiment").cases
    rows = [
        f"{case.text}\tThat sounds {case.label}. Thank you for telling us.\n"
        for case in cases
        if isinstance(case, LabelCase)
    ]
    train, dev = tmp_path / "train.tsv", tmp_path / "dev.tsv"
    train.write_text("".join(["source\ttarget\n", *rows[:-ROWS]]))
    dev.write_text("".join(["source\ttarget\n", *rows[-ROWS:]]))
    # What an export is tried on are the prompts of dev cases.
    tune_generator_on_texts("translation", train=train, dev=dev, out=tmp_path / "model")

    for to in ("merged", "adapter", "onnx", "openvino", "gguf"):
        made: Any = export(str(tmp_path / "model"), to=to, out=tmp_path / to)

        assert made.figures["prompts"] == ROWS
        assert made.figures["same_next_tokens"] > 0.98, to
