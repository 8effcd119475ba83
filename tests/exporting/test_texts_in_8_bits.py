"""`predict --int8` for models that write: made once, measured against the whole."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.texts import TEXT_PROMPT_VERSION
from groundtune.core.errors import ConfigError
from groundtune.generate import openvino_batches
from groundtune.recipes.written_predictions import predict_texts
from groundtune.store.files import read_json, write_json
from groundtune.store.models import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ("a card arrived", "where is anna ", "not late", "who paid in oslo")


@pytest.fixture
def translator(
    generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The tiny generator, as a folder that `tune translation` made."""
    out = tmp_path / "model"
    shutil.copytree(generator, out)
    template = ChatTemplate((out / "chat_template.jinja").read_text())
    told = {
        "task": "translation",
        "prompt_version": TEXT_PROMPT_VERSION,
        "template_sha256": template.sha256,
        "template": {"instruction": "Translate.", "max_new_tokens": 6},
    }
    write_json(out / MANIFEST, {**read_json(out / MANIFEST), **told})
    monkeypatch.setattr(openvino_batches, "default_cache", lambda: tmp_path / "cache")
    return out


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def said(out: Path) -> list[str]:
    return [json.loads(line)["prediction"] for line in out.read_text().splitlines()]


def test_what_8_bits_change_is_measured(translator: Path, tmp_path: Path) -> None:
    asked = write(tmp_path / "a.jsonl", [{"source": text} for text in SOURCES])
    whole, rounded = tmp_path / "whole.jsonl", tmp_path / "rounded.jsonl"
    predict_texts(str(translator), source=asked, out=whole)
    found = predict_texts(str(translator), source=asked, out=rounded, is_int8=True).int8

    pairs = list(zip(said(whole), said(rounded), strict=True))
    assert found is not None
    assert found["rows"] == len(SOURCES) == len(pairs)
    assert found["same"] == sum(a == b for a, b in pairs) / len(pairs)
    assert found["seconds_a_row"] > 0 < found["seconds_a_row_without"]
    assert "measure" not in found, "the file says nothing of what is right"

    # Both graphs were made once and are kept; one is about half of the other.
    sizes = sorted(
        path.stat().st_size for path in (tmp_path / "cache").rglob("openvino_model.bin")
    )
    assert len(sizes) == 2
    assert sizes[0] < 0.75 * sizes[1]

    # With references, the task's measure with both.
    targets = [f"{text} x" for text in said(whole)]
    right = write(
        tmp_path / "b.jsonl",
        [
            {"text": text, "target": target}
            for text, target in zip(SOURCES, targets, strict=True)
        ],
    )
    scored = predict_texts(str(translator), source=right, out=rounded, is_int8=True)
    assert scored.int8 is not None
    assert scored.int8["measure"] == "bleu"
    assert scored.int8["value"] <= scored.int8["without"]
    assert scored.int8["same"] == found["same"] < 1, "so coarse weights show"
    lost = scored.int8["value"] - scored.int8["without"]
    assert scored.int8["difference"]["value"] == pytest.approx(lost)


def test_an_engine_without_8_bits_refuses_them(
    translator: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="transformers has no weights of 8 bits"):
        predict_texts(
            str(translator),
            source=tmp_path / "none",
            out=tmp_path / "out",
            is_int8=True,
            runtime="transformers",
        )
