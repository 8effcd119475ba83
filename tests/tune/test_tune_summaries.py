"""`tune summarization`: from documents with summaries to a model that sums up."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from groundtune.config.training import TrainSettings
from groundtune.core.protocols import silent
from groundtune.recipes import tune_texts as recipe
from groundtune.recipes import writing
from groundtune.recipes.tune_texts import tune_generator_on_texts
from groundtune.recipes.written_predictions import predict_texts
from groundtune.store.models import open_model
from groundtune.systems.drafts import Drafter

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder

WORDS = ("tower", "bridge", "stone", "river", "oak", "hill", "wren", "alder")
SETTINGS = TrainSettings(
    rank=16,
    alpha=64,
    frozen_share=0.0,
    learning_rate=2e-2,
    epochs=6.0,
    batch_tokens=256,
    pack_tokens=128,
    warmup_steps=2,
    evaluations=2,
)


def rows(count: int, *, seed: int, wordings: int = 1) -> list[dict[str, Any]]:
    """Documents of five words, whose summary says the first one twice."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for _ in range(count):
        picked = [str(word) for word in rng.choice(WORDS, 5)]
        row: dict[str, Any] = {"dialogue": f"{' '.join(picked)}."}
        said = [f"built {picked[0]} built {picked[0]}", "not in documents", "say wren"]
        if wordings == 1:
            row["summary"] = said[0]
        else:
            row |= {f"summary{n}": text for n, text in enumerate(said, start=1)}
        found.append(row)
    return found


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    return path


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of children is done here, where torch is loaded already."""

    def run(work: Any, job: Any, *, on_item: Any = None, **_: Any) -> Any:
        here = SimpleNamespace(emit=on_item, progress=silent)
        return SimpleNamespace(result=work(job, here), seconds=1.0)

    def plain(_: torch.device) -> torch.dtype:
        return torch.float32

    monkeypatch.setattr(recipe, "run_in_ranks", run)
    monkeypatch.setattr(writing, "run_in_child", run)
    # The self-test takes longer than these trainings.
    monkeypatch.setattr(writing, "choose_dtype", plain)


def test_documents_and_summaries_become_a_model_that_sums_up(
    tiny_model: ModelFolder, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    report = tune_generator_on_texts(
        "summarization",
        train=write(tmp_path / "train.jsonl", rows(60, seed=1)),
        test=write(tmp_path / "test.jsonl", rows(10, seed=2, wordings=3)),
        base=str(tiny_model.path),
        embedder=str(tiny_bert.path),
        out=tmp_path / "model",
        settings=SETTINGS,
        runtime="transformers",
    )

    assert report.test == report.measures["tuned"]["rouge_l"]
    assert set(report.measures) == {"tuned", "plain", "first sentences"}
    assert set(report.gains) == {"rouge_l", "rouge_1", "rouge_2"}
    assert report.gains["rouge_l"]["low"] > 0, "what it was taught shows"
    told = [report.measures[name]["rouge_l"]["value"] for name in ("tuned", "plain")]
    assert report.gains["rouge_l"]["value"] == pytest.approx(told[0] - told[1])
    # plain was asked in each way on dev cases, with solved examples too.
    assert set(report.plain_prompts) == {"instruction", "length", "examples"}
    evaluation = tmp_path / "model" / "evaluation"
    assert (evaluation / "dev-plain-examples.jsonl").exists()
    page, card = (
        (tmp_path / "model" / name).read_text() for name in ("report.html", "README.md")
    )
    assert "ROUGE-L" in page
    assert "references:best" in page
    assert "pipeline_tag: summarization" in card

    # The same folder says the same again, asked for predictions.
    lines = (evaluation / "test-tuned.jsonl").read_text().splitlines()
    measured = [json.loads(line)["reply"]["text"] for line in lines]
    said = predict_texts(
        report.model,
        source=tmp_path / "test.jsonl",
        out=tmp_path / "said.jsonl",
        runtime="transformers",
    )
    assert said.column == "dialogue"
    answers = (tmp_path / "said.jsonl").read_text().splitlines()
    assert [json.loads(line)["prediction"] for line in answers] == measured

    # And `summarize --model` asks it as it was taught.
    folder = open_model(report.model, kind="generator", offline=True)
    assert Drafter.open(str(folder.path), runtime="transformers").is_tuned
    assert not Drafter.open(str(tiny_model.path), runtime="transformers").is_tuned


def test_topics_are_held_against_the_nearest_one(
    tiny_model: ModelFolder, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    topics = [
        {"query": f"{one} {other}", "summary": [f"old {one}", f"new {other}"]}
        for one in WORDS
        for other in WORDS[:2]
    ]

    report = tune_generator_on_texts(
        "summarization",
        train=write(tmp_path / "train.jsonl", topics),
        test_share=0.25,
        base=str(tiny_model.path),
        embedder=str(tiny_bert.path),
        out=tmp_path / "model",
        settings=TrainSettings(epochs=0.2, pack_tokens=100, evaluations=1),
        runtime="transformers",
    )

    assert set(report.measures) == {"tuned", "plain", "nearest topic"}
    assert "topic" in report.instruction
    assert report.plain_prompts == {}, "without dev cases there is no choice"
