"""Asking, as installed without the extra `tune`: no torch, no transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.core.errors import ConfigError, ModelLoadError, StoreError
from groundtune.recipes.ask import ask, learned_ranking, learned_style
from groundtune.retrieve.query_adapter import QueryAdapter, adapter_file
from groundtune.store.models import ModelFolder
from groundtune.systems.trained import LEARNED_RANKING

if TYPE_CHECKING:
    from pathlib import Path

MOON = {
    "apollo.md": """# Apollo 11

Apollo 11 was the American spaceflight that first landed humans on the Moon.
Commander Neil Armstrong and lunar module pilot Buzz Aldrin landed on July 20, 1969.

## First steps

Neil Armstrong was the first person to walk on the Moon. As he stepped onto the
surface he said: "That's one small step for man, one giant leap for mankind."

## Landing

When the Eagle had touched down, Armstrong reported: "The Eagle has landed."
""",
    "bread.txt": "Bread is made from flour and yeast, and baked at 230 degrees.\n",
    "mars.md": "# Mars\n\nThe first rover to drive on Mars was Sojourner, in 1997.\n",
}
QUESTION = (
    "Who was the first person to walk on the moon, and what did they say when they "
    "landed?"
)
WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "peft"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from groundtune.cli.main import run
run(sys.argv[1:])
"""


def groundtune(*arguments: str) -> Any:
    """Run a command where torch and its friends cannot be imported."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def moon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moon")
    (folder / "docs").mkdir()
    for name, text in MOON.items():
        (folder / "docs" / name).write_text(text)
    counts = groundtune("ingest", str(folder / "docs"), "--kb", str(folder / "kb"))
    assert counts["added"] == 3
    return folder


def test_the_first_steps_on_the_moon_without_torch(moon: Path) -> None:
    said = groundtune("ask", "--kb", str(moon / "kb"), QUESTION)

    assert "Armstrong" in said["text"]
    assert "one giant leap for mankind" in said["text"]
    assert not said["abstained"]
    cited = [c for c in said["citations"] if c["document"] == "apollo.md"]
    assert any("first person to walk" in citation["text"] for citation in cited)
    for citation in cited:
        here = MOON["apollo.md"][citation["start"] : citation["end"]]
        assert here == citation["text"]


def test_a_question_must_say_something(moon: Path) -> None:
    with pytest.raises(ConfigError, match="question is empty"):
        ask("  ", kb=moon / "kb")


def test_a_missing_knowledge_base_is_named_before_models_load(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        ask("Who?", kb=tmp_path / "none", model="no-such-model")

    assert str(tmp_path / "none") in str(caught.value)
    assert not (tmp_path / "none").exists()


def tuned(folder: Path) -> ModelFolder:
    return ModelFolder(
        path=folder,
        name="tuned",
        kind="generator",
        weights=folder / "model.safetensors",
        weights_sha256="0" * 64,
        licence="",
        config={},
    )


def test_a_model_tuned_for_another_prompt_is_refused(tmp_path: Path) -> None:
    record = {"style": {"name": "old"}, "prompt_version": "qa-0"}
    (tmp_path / "groundtune.json").write_text(json.dumps(record))

    with pytest.raises(ModelLoadError, match="tuned with prompt qa-0"):
        learned_style(tuned(tmp_path))


def test_sentences_are_ranked_as_a_model_learned_for_its_own_embedder(
    tmp_path: Path,
) -> None:
    model = tuned(tmp_path)
    assert learned_ranking(model, embedder="words@0") == ""
    name = QueryAdapter(np.eye(4, dtype=np.float32)).save(tmp_path, embedder="words@0")
    file = adapter_file(tmp_path, name).rename(tmp_path / LEARNED_RANKING)
    assert learned_ranking(model, embedder="words@0") == str(file)
    assert learned_ranking(model, embedder="words@1") == ""
    file.write_bytes(b"cut off")
    with pytest.raises(StoreError, match="damaged"):
        learned_ranking(model, embedder="words@0")
