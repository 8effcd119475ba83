"""A label model in other programs: adapter equals merged equals each export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from groundtune.core.errors import ConfigError, DataError, ModelLoadError, StoreError
from groundtune.recipes.export import export
from groundtune.systems.labeller import open_labeller

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


TARGETS: tuple[Any, ...] = ("merged", "adapter", "onnx", "openvino")


@pytest.mark.parametrize(
    "rows_of", ["text", pytest.param("tokens", marks=pytest.mark.slow)]
)
def test_adapter_equals_merged_equals_each_export(
    classifier: Callable[..., Path], tmp_path: Path, rows_of: str
) -> None:
    model = classifier(rows_of)

    for to in TARGETS:
        report = export(str(model), to=to, out=tmp_path / to)

        figures: dict[str, Any] = report.figures
        assert figures["rows"] == 50
        assert figures["labels"] >= 50
        assert figures["largest_difference"] < 1e-3, to
        assert figures["same_labels"] == 1.0
        assert figures["right_before"] == figures["right_after"]
        assert report.rows == "test"
        record = json.loads((tmp_path / to / "export.json").read_text())
        assert record["figures"] == figures
        assert record["files"].keys() < {p.name for p in (tmp_path / to).iterdir()}
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".new")]


@pytest.mark.slow
def test_int8_is_small_and_its_loss_is_shown(
    classifier: Callable[..., Path], tmp_path: Path
) -> None:
    model = str(classifier())

    for to in TARGETS[2:]:
        whole = export(model, to=to, out=tmp_path / "whole")
        eighth = export(model, to=to, out=tmp_path / to, is_int8=True)

        changed: Any = eighth.figures["largest_difference"]
        assert changed > 1e-4, to
        assert sum(eighth.files.values()) < sum(whole.files.values())
        assert "largest_difference" not in eighth.limits


@pytest.mark.slow
def test_merged_in_half_precision_serves_here_as_well(
    classifier: Callable[..., Path], tmp_path: Path
) -> None:
    model = classifier()

    report = export(str(model), to="merged", out=tmp_path / "half", precision="float16")

    assert report.precision == "float16"
    half = load_file(tmp_path / "half" / "model.safetensors")
    assert {array.dtype for array in half.values()} == {np.dtype(np.float16)}
    texts = ["my card is late", "paid"]
    ours, theirs = (
        open_labeller(str(folder), precision="f32").text_logits(texts)
        for folder in (model, tmp_path / "half")
    )
    np.testing.assert_allclose(ours, theirs, atol=0.05)


@pytest.mark.slow
def test_what_answers_otherwise_is_not_exported(
    classifier: Callable[..., Path], tmp_path: Path
) -> None:
    model = classifier()
    file = model / "adapter" / "adapter_model.safetensors"
    tensors = {name: 3 * array for name, array in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})

    with pytest.raises(StoreError, match="does not answer as the trained model"):
        export(str(model), to="adapter", out=tmp_path / "out")

    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".out.new").exists()


def test_what_cannot_be_is_said_before_anything_is_written(
    classifier: Callable[..., Path], tmp_path: Path
) -> None:
    model = classifier(strategy="full")
    out = tmp_path / "out"

    with pytest.raises(ConfigError, match=r"llama\.cpp runs no heads"):
        export(str(model), to="gguf", out=out)
    with pytest.raises(ConfigError, match="not trained by an adapter"):
        export(str(model), to="adapter", out=out)
    with pytest.raises(ConfigError, match="keeps the precision"):
        export(str(model), to="merged", out=out, is_int8=True)
    with pytest.raises(ConfigError, match="own folder"):
        export(str(model), to="merged", out=model / "merged")
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="is no export"):
        export(str(model), to="merged", out=out)
    assert (out / "thesis.tex").exists()
    with pytest.raises(ModelLoadError, match="not a folder that groundtune tune made"):
        export(str(out), to="merged", out=tmp_path / "other")
    (model / "head.pkl").write_bytes(b"")
    with pytest.raises(ModelLoadError, match="can run code"):
        export(str(model), to="merged", out=tmp_path / "other")


def test_rows_come_from_the_model_or_from_a_file(
    classifier: Callable[..., Path], tmp_path: Path
) -> None:
    model = classifier()
    (model / "evaluation" / "test.jsonl").unlink()
    rows = tmp_path / "rows.csv"
    rows.write_text("review\nmy card is late\npaid\n")

    with pytest.raises(DataError, match="no held-out rows"):
        export(str(model), to="merged", out=tmp_path / "out")
    report = export(str(model), to="merged", out=tmp_path / "out", check=rows)

    assert report.figures["rows"] == 2
    assert report.figures["right_before"] is None
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["rows"] == "rows.csv"
