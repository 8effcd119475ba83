"""`tune translation` and `tune support`, and `predict`: from a file to a file."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from groundtune.config.training import TrainSettings
from groundtune.core.errors import ConfigError, DataError, ModelLoadError
from groundtune.core.protocols import silent
from groundtune.data.labelled import read_labelled
from groundtune.recipes import tune_texts as recipe
from groundtune.recipes import writing
from groundtune.recipes.predict import predict
from groundtune.recipes.text_sides import instruction_for
from groundtune.recipes.tune_texts import tune_generator_on_texts
from groundtune.recipes.written_predictions import predict_texts
from groundtune.systems.build import SystemSpec, build_system
from groundtune.systems.writer import Writer, tuned_writer_spec

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder

WORDS = ("tower", "bridge", "stone", "river", "oak", "hill", "wren", "alder")
SETTINGS = TrainSettings(
    rank=16,
    alpha=64,
    frozen_share=0.0,
    learning_rate=2e-2,
    epochs=8.0,
    batch_tokens=256,
    pack_tokens=128,
    warmup_steps=2,
    evaluations=2,
)


def pairs(count: int, *, seed: int) -> list[dict[str, str]]:
    """A language in which a word is said twice, and `built` goes before it."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, str]] = []
    for _ in range(count):
        one, other = (str(word) for word in rng.choice(WORDS, 2))
        rows.append({"source": f"{one} {other}", "target": f"built {one} built {one}"})
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of children is done here, where torch is loaded already."""

    def run(work: Any, job: Any, *, on_item: Any = None, **_: Any) -> Any:
        here = SimpleNamespace(emit=on_item, progress=silent)
        return SimpleNamespace(result=work(job, here), seconds=1.0)

    monkeypatch.setattr(recipe, "run_in_ranks", run)
    monkeypatch.setattr(writing, "run_in_child", run)

    def plain(_: torch.device) -> torch.dtype:
        return torch.float32

    # The self-test takes longer than these trainings.
    monkeypatch.setattr(writing, "choose_dtype", plain)


def tuned(
    base: ModelFolder, embedder: ModelFolder, folder: Path, **options: Any
) -> recipe.TextReport:
    given: dict[str, Any] = {
        "train": write(folder / "train.jsonl", pairs(60, seed=1)),
        "test": write(folder / "test.jsonl", pairs(12, seed=2)),
        "settings": SETTINGS,
    }
    return tune_generator_on_texts(
        "translation",
        base=str(base.path),
        embedder=str(embedder.path),
        out=folder / "model",
        runtime="transformers",
        **{**given, **options},
    )


def test_a_file_of_pairs_becomes_a_model_that_writes_as_it_was_measured(
    tiny_model: ModelFolder,
    tiny_bert: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = tuned(tiny_model, tiny_bert, tmp_path)

    assert report.dev is None
    assert report.test is not None
    assert report.test == report.measures["tuned"]["bleu"]
    assert report.test["low"] <= report.test["value"] <= report.test["high"]
    assert set(report.measures) == {"tuned", "plain", "translation memory"}
    gain = report.gains["chrf"]
    told = [report.measures[name]["chrf"]["value"] for name in ("tuned", "plain")]
    assert gain["value"] == pytest.approx(told[0] - told[1])
    assert gain["low"] > 0, "what it was taught shows"
    page, card = (
        (tmp_path / "model" / name).read_text() for name in ("report.html", "README.md")
    )
    assert "translation memory" in page
    assert "pipeline_tag: translation" in card
    lines = (tmp_path / "model/evaluation/test-tuned.jsonl").read_text().splitlines()
    measured = [json.loads(line)["reply"]["text"] for line in lines]

    # The same folder says the same again, asked for predictions.
    answers = tmp_path / "said.jsonl"
    said = predict_texts(
        report.model,
        source=tmp_path / "test.jsonl",
        out=answers,
        runtime="transformers",
    )

    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert (said.task, said.column, said.rows, said.labels) == (
        "translation",
        "source",
        12,
        {},
    )
    assert [row["prediction"] for row in rows] == measured
    assert [row["source"] for row in rows] == [
        row["source"] for row in pairs(12, seed=2)
    ]
    other = write(tmp_path / "other.jsonl", [{"other": "stone"}])
    with pytest.raises(DataError, match="no column 'source'"):  # told by its manifest
        predict(report.model, source=other, out=answers)

    # Done is done: nothing is trained or answered again.
    monkeypatch.setattr(writing, "train", None)
    monkeypatch.setattr(writing, "run_in_child", None)
    assert tuned(tiny_model, tiny_bert, tmp_path) == report

    # Served with its own template and prompts, or not at all.
    with pytest.raises(ModelLoadError, match="was trained for translation with"):
        build_system(
            SystemSpec(name="tuned", model=report.model, style={}, runtime="none")
        )
    template = tmp_path / "model/chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", ""))
    with pytest.raises(ModelLoadError, match="not the one that it was trained with"):
        Writer(tuned_writer_spec(report.model, runtime="transformers"))


def test_an_interrupted_scoring_goes_on_with_whole_blocks(
    tiny_model: ModelFolder,
    tiny_bert: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "BLOCK", 5)
    short = TrainSettings(epochs=0.2, batch_tokens=64, pack_tokens=64, evaluations=1)
    whole = tuned(tiny_model, tiny_bert, tmp_path, settings=short)
    log = tmp_path / "model/evaluation/test-plain.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    # A kill in the second block, with half of a line written.
    log.write_text("".join(lines[:7]) + lines[7][:9])
    asked: list[int] = []
    run = writing.run_in_child

    def counted(work: Any, job: Any, **options: Any) -> Any:
        asked.extend(map(len, job.blocks))
        return run(work, job, **options)

    monkeypatch.setattr(writing, "run_in_child", counted)

    assert tuned(tiny_model, tiny_bert, tmp_path, settings=short) == whole
    assert asked == [5, 2]


def test_conversations_are_taught_with_their_own_instruction_and_history(
    tiny_model: ModelFolder, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    def talk(number: int) -> dict[str, Any]:
        word = WORDS[number % len(WORDS)]
        said = [
            ("user", f"where is {word}"),
            ("assistant", word),
            ("user", "old or new"),
        ]
        turns = [{"role": role, "content": text} for role, text in said]
        if number % 2:
            turns.insert(0, {"role": "system", "content": "answer in a few words"})
        return {"messages": [*turns, {"role": "assistant", "content": f"new {word}"}]}

    talks = write(tmp_path / "talks.jsonl", [talk(number) for number in range(16)])

    report = tune_generator_on_texts(
        "support",
        train=talks,
        test_share=0.25,
        limit=3,
        base=str(tiny_model.path),
        embedder=str(tiny_bert.path),
        out=tmp_path / "model",
        settings=TrainSettings(epochs=0.2, pack_tokens=100, evaluations=1),
        changes={"rank": "4"},
        runtime="transformers",
    )

    assert report.test is not None
    assert report.test["n"] == 3
    assert report.test == report.measures["tuned"]["chrf"]
    assert set(report.measures) == {"tuned", "plain", "nearest question"}
    manifest = json.loads((tmp_path / "model/groundtune.json").read_text())
    assert manifest["training"]["settings"]["rank"] == 4
    assert manifest["template"]["max_new_tokens"] == 3, "two words and the end"

    # Asked by `predict`: with the whole conversation, or with the question alone.
    ended = {"messages": talk(1)["messages"]}
    begun = {"messages": talk(1)["messages"][:-1]}
    asked = write(tmp_path / "asked.jsonl", [ended, begun])
    out = tmp_path / "said.jsonl"
    predict_texts(report.model, source=asked, out=out, runtime="transformers")
    one, other = (json.loads(line) for line in out.read_text().splitlines())
    assert one["prediction"] == other["prediction"], "the reply was not shown"
    (tmp_path / "asked.csv").write_text("nr,query\n1,where is oak\n")
    alone = predict_texts(
        report.model, source=tmp_path / "asked.csv", out=out, runtime="transformers"
    )
    assert (alone.column, alone.rows) == ("query", 1)
    for row, problem in (
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no turn of the user"),
        ({"query": " "}, "not a text"),
        ({"query": "stone " * 600}, "the model has room for 509"),
        ({"other": "x"}, "no column 'messages'"),
    ):
        bad = write(tmp_path / "bad.jsonl", [row])
        with pytest.raises(DataError, match=problem):
            predict_texts(report.model, source=bad, out=out, runtime="transformers")


def test_rows_that_are_too_long_are_an_error_and_never_cut(
    tiny_model: ModelFolder, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    rows = pairs(40, seed=1)
    rows[3]["target"] = "stone " * 600
    long = write(tmp_path / "long.jsonl", rows)

    with pytest.raises(DataError, match="1 of 40 rows have more than 512 tokens"):
        tuned(tiny_model, tiny_bert, tmp_path, train=long)


def test_arguments_that_contradict_each_other_are_refused(
    tiny_model: ModelFolder, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    for options, problem in (
        ({"test_share": 0.5}, "given twice"),
        ({"limit": 0}, "limit is 0"),
        ({"changes": {"depth": "3"}}, "unknown setting 'depth'"),
        ({"budget_seconds": 0.1}, "too few to train in"),
        ({"test": None, "test_share": 1.0}, "test share is 1.0"),
    ):
        with pytest.raises(ConfigError, match=problem):
            tuned(tiny_model, tiny_bert, tmp_path, **options)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="is no model"):
        tuned(tiny_model, tiny_bert, tmp_path)


@pytest.mark.parametrize(
    ("name", "rows", "instruction"),
    [
        ("a.jsonl", [{"translation": {"en": "x", "pt-BR": "y"}}], ""),
        (
            "train.en",
            [],
            "Translate from English into German. Reply with the translation only.",
        ),
    ],
)
def test_languages_come_from_names_of_files_and_columns(
    tmp_path: Path, name: str, rows: list[dict[str, Any]], instruction: str
) -> None:
    if rows:
        write(tmp_path / name, rows)
        data = read_labelled(
            tmp_path / name, task="translation", roles={"source": "en"}
        )
        instruction = (
            "Translate from English into Portuguese. Reply with the translation only."
        )
    else:
        (tmp_path / "train.en").write_text("a dog\n")
        (tmp_path / "train.de").write_text("ein Hund\n")
        data = read_labelled(tmp_path / name, task="translation")

    assert instruction_for(data) == instruction
