"""A generator in other programs: adapter equals merged equals each export."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from gguf import GGUFReader
from safetensors.numpy import load_file, save_file

from groundtune.core.errors import DataError, StoreError
from groundtune.recipes.export import export

if TYPE_CHECKING:
    from pathlib import Path


TARGETS: tuple[Any, ...] = ("merged", "adapter", "onnx", "openvino", "gguf")


def test_adapter_equals_merged_equals_each_export(
    generator: Path, tmp_path: Path
) -> None:
    for to in TARGETS[:-1]:
        report = export(str(generator), to=to, out=tmp_path / to)

        figures: dict[str, Any] = report.figures
        assert figures["prompts"] == 50
        assert figures["tokens"] > 500
        assert figures["same_next_tokens"] > 0.99, to
        assert figures["same_prompts"] == 1.0
        assert figures["mean_difference"] < 2e-3
        assert report.rows == "dev"


def few_prompts(generator: Path, folder: Path) -> Path:
    lines = (generator / "evaluation" / "prompts.jsonl").read_text().splitlines()
    path = folder / "few.jsonl"
    path.write_text("\n".join(lines[:4]))
    return path


@pytest.mark.parametrize("rows", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_llama_cpp_answers_as_the_model(
    generator: Path, tmp_path: Path, rows: int
) -> None:
    check = few_prompts(generator, tmp_path) if rows == 4 else None

    report = export(str(generator), to="gguf", out=tmp_path / "gguf", check=check)

    figures: dict[str, Any] = report.figures
    assert figures["prompts"] == rows
    assert figures["same_next_tokens"] > 0.97
    assert figures["same_prompts"] == 1.0
    assert figures["mean_difference"] < 2e-3
    (file,) = (tmp_path / "gguf").glob("*.gguf")
    template = GGUFReader(file).fields["tokenizer.chat_template"].contents()
    assert template == (generator / "chat_template.jinja").read_text()


@pytest.mark.slow
def test_int8_shows_what_it_lost(generator: Path, tmp_path: Path) -> None:
    for to in TARGETS[2:]:
        report = export(str(generator), to=to, out=tmp_path / to, is_int8=True)

        lost: Any = report.figures["mean_difference"]
        assert 1e-5 < lost < 0.05, to


@pytest.mark.slow
def test_what_answers_otherwise_is_not_exported(
    generator: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(generator, model)
    file = model / "adapter" / "adapter_model.safetensors"
    tensors = {name: 2 * array for name, array in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})

    with pytest.raises(StoreError, match="does not answer as the trained model"):
        export(str(model), to="adapter", out=tmp_path / "out")

    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_prompts_come_from_a_file_in_three_forms(
    generator: Path, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "<|im_start|>user\nwho<|im_end|>\n<|im_start|>assistant\n"},
        {"question": "who paid?"},
        {
            "messages": [
                {"role": "user", "content": "who"},
                {"role": "assistant", "content": "anna"},
            ]
        },
    ]
    check = tmp_path / "rows.jsonl"
    check.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    report = export(str(generator), to="merged", out=tmp_path / "out", check=check)

    assert report.figures["prompts"] == 3
    check.write_text('{"other": 1}\n')
    with pytest.raises(DataError, match="no prompt"):
        export(str(generator), to="merged", out=tmp_path / "out", check=check)
