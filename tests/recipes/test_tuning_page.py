"""The page and the card of a tuned model: what is told, and that nothing leaks in."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from groundtune.recipes.tuning_page.card import model_card, write_model_card
from groundtune.recipes.tuning_page.confusion import matrix
from groundtune.recipes.tuning_page.content import (
    entity_content,
    label_content,
    text_content,
)
from groundtune.recipes.tuning_page.history import training_history
from groundtune.recipes.tuning_page.page import write_tuning_page

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.recipes.tuning_page.tuned import TunedModel

HISTORY = [
    {"epoch": 1.0, "train_loss": 0.9, "dev_loss": 0.8, "dev_score": 0.6},
    {"epoch": 2.0, "train_loss": 0.5, "dev_loss": 0.6, "dev_score": 0.7},
]
HOSTILE = '<script>alert("$x_1$ | & y")</script>'


class Tags(HTMLParser):
    """Tags and ids of a page, and whether every tag is closed."""

    void = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def classifier(labels: int, *, cases: int = 300, right: float = 0.8) -> TunedModel:
    rng = np.random.default_rng(labels)
    names = [f"label {i}" for i in range(labels - 1)] + [HOSTILE]
    gold = rng.integers(labels, size=cases)
    logits = rng.normal(size=(cases, labels)).astype(np.float32)
    logits[np.arange(cases), gold] += np.where(rng.random(cases) < right, 6, -2)
    return label_content(
        name="support labels",
        task="classification",
        texts=[f"text {i} {HOSTILE}" for i in range(cases)],
        gold=[names[i] for i in gold],
        predicted=[names[i] for i in logits.argmax(axis=1)],
        labels=names,
        logits_N_L=logits,
        temperature=1.7,
        baselines={
            "majority": [names[0]] * cases,
            "neighbours": [names[i if i % 3 else 0] for i in gold],
        },
        history=HISTORY,
        settings={"base": "all-minilm-l6-v2", "learning_rate": 5e-5},
        data={"train": 1000, "sha256": "ab12"},
    )


def written(model: TunedModel, folder: Path) -> str:
    html = write_tuning_page(folder / "page.html", model).read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(html)
    assert not tags.open
    assert len(tags.ids) == len(set(tags.ids))
    assert "script" not in tags.seen
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href)=\"(?!#)", html)
    assert HOSTILE not in html
    return html


@pytest.mark.parametrize("labels", [2, 77])
def test_a_page_stands_alone_at_any_number_of_labels(
    labels: int, tmp_path: Path
) -> None:
    model = classifier(labels)
    html = written(model, tmp_path)

    # Five plots and the matrix; with few labels each cell holds its count.
    assert html.count("<svg") == 6
    assert model.labels is not None
    cells = int((model.labels.confusion_L_L > 0).sum())
    assert html.count("</title></rect>") == cells
    if labels == 2:
        again = write_tuning_page(tmp_path / "again.html", classifier(labels))
        assert again.read_text(encoding="utf-8") == html
    assert f"{model.score.value:.3f}" in html
    assert model.told.replace(" ", "") in html.replace(" ", "")


@pytest.mark.parametrize(
    ("right", "told"),
    [
        (1.0, "Tuning pays: "),
        (0.1, "Tuning does not pay: "),
        (0.86, "Not shown that tuning pays: "),
    ],
)
def test_what_is_told_claims_no_more_than_is_shown(right: float, told: str) -> None:
    model = classifier(6, right=right)

    assert model.told.startswith(told)
    assert model.best_baseline == "neighbours"
    assert "[" in model.told
    assert "300 test cases" in model.told


def test_the_surest_mistakes_come_first() -> None:
    logits = np.array([[9.0, 0.0], [0.0, 1.0], [0.0, 5.0], [3.0, 0.0]])
    model = label_content(
        name="m",
        task="sentiment",
        texts=["one", "two", "three", "four"],
        gold=["good", "bad", "bad", "bad"],
        predicted=["bad", "good", "good", "bad"],
        labels=["bad", "good"],
        logits_N_L=logits,
    )

    assert [mistake.text for mistake in model.mistakes] == ["one", "three", "two"]
    assert model.mistaken == 3
    assert model.warnings
    assert model.gain is None
    assert model.told == "Accuracy 0.250 on 4 test cases."


def test_a_label_that_was_never_taught_is_told_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    model = label_content(
        name="m",
        task="classification",
        texts=["one", "two", "three"],
        gold=["a", "b", "new"],
        predicted=["a", "b", "a"],
        labels=["a", "b"],
        logits_N_L=np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 0.0]]),
    )

    assert any("new" in text and "never taught" in text for text in model.warnings)
    assert model.calibration is not None
    assert sum(each.size for each in model.calibration.bins_after) == 2
    assert "never taught" in written(model, tmp_path)


def entities() -> TunedModel:
    tokens = [["Ada", "was", "in", "Bath"], ["no", "names"], ["Bo", "ran"]] * 4
    gold = [["B-PER", "O", "O", "B-LOC"], ["O", "O"], ["B-PER", "O"]] * 4
    predicted = [["B-PER", "O", "O", "B-PER"], ["O", "O"], ["O", "O"]] * 4
    tags = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    logits = [
        np.array([[4.0 if tag == each else 0.0 for each in tags] for tag in line])
        for line in predicted
    ]
    return entity_content(
        name="names",
        tokens=tokens,
        gold=gold,
        predicted=predicted,
        tags=tags,
        logits=logits,
        temperature=0.8,
        baselines={"majority": [["O"] * len(line) for line in gold]},
        history=[{"step": 10, "train_loss": 1.0}, {"step": 20, "train_loss": 0.5}],
    )


def test_entities_are_told_by_type_and_by_sentence(tmp_path: Path) -> None:
    model = entities()
    html = written(model, tmp_path)

    assert model.score.value == pytest.approx(2 * 4 / (8 + 12))
    assert list(model.per_label) == ["LOC", "PER"]
    assert model.mistakes[0].gold == "Ada (PER), Bath (LOC)"
    assert model.mistakes[0].predicted == "Ada (PER), Bath (PER)"
    assert model.mistaken == 8
    assert "no entity" in html
    assert model.gain is not None
    assert model.gain.value == pytest.approx(model.score.value)


def test_written_texts_are_told_with_their_signature(tmp_path: Path) -> None:
    references = ["ein Hund läuft über die Straße", "zwei Männer sitzen"] * 10
    predicted = ["ein Hund rennt über die Straße", "eine Frau"] * 10
    model = text_content(
        name="to German",
        task="translation",
        measure="bleu",
        asked=["a dog runs across the street", "two men sit"] * 10,
        references=[[text] for text in references],
        predicted=predicted,
        baselines={"plain": ["a dog runs", "two men"] * 10},
    )
    html = written(model, tmp_path)

    assert model.mistakes[0].predicted == "eine Frau"
    assert "smooth:exp" in html
    assert "BLEU" in model.told
    assert model.labels is None


def test_a_long_history_is_drawn_by_stretches() -> None:
    losses = [1 / (1 + i) for i in range(1000)]
    found = training_history(losses, dev_losses=[(500, 0.3)], dev_scores=[(500, 0.8)])

    drawn = [point["train_loss"] for point in found if "train_loss" in point]
    assert len(drawn) == 60
    assert drawn == sorted(drawn, reverse=True)
    assert [point["step"] for point in found] == sorted(p["step"] for p in found)
    assert found[0]["step"] > 1
    assert training_history([]) == []


def test_a_matrix_needs_two_labels() -> None:
    model = label_content(
        name="m",
        task="classification",
        texts=["a"],
        gold=["x"],
        predicted=["x"],
        labels=["x"],
    )

    assert model.labels is not None
    assert matrix(model.labels) == ""


def test_names_in_any_script_are_drawn_without_complaint(tmp_path: Path) -> None:
    names = ["配送", "возврат", "$5 off", "a_b^c"]
    model = label_content(
        name="m",
        task="classification",
        texts=names,
        gold=names,
        predicted=names,
        labels=names,
    )
    html = written(model, tmp_path)

    for name in names:
        assert html.count(name) >= 2


def test_a_card_has_what_a_reader_looks_for(tmp_path: Path) -> None:
    model = classifier(6)
    path = write_model_card(
        tmp_path,
        model,
        base="all-minilm-l6-v2",
        method="full",
        licence="apache-2.0",
        limits=["It reads the first 128 tokens."],
    )
    card = path.read_text(encoding="utf-8")
    _, front, body = card.split("---\n", 2)

    assert path.name == "README.md"
    about = yaml.safe_load(front)
    assert about["license"] == "apache-2.0"
    assert about["base_model"] == "all-minilm-l6-v2"
    assert about["pipeline_tag"] == "text-classification"
    for heading in ("How to use it", "Scores", "Labels", "Data", "Method", "Limits"):
        assert f"\n## {heading}\n" in body
    assert "| learning rate | 5e-05 |" in body
    assert "| neighbours |" in body
    assert "- It reads the first 128 tokens." in body
    assert "<script>" not in body
    # A bar inside a name must not become a column.
    widths = {line.replace("\\|", "").count("|") for line in body.splitlines()}
    assert widths <= {0, 3, 5, 7}


def test_a_card_of_entities_speaks_of_types() -> None:
    card = model_card(entities(), base="b", method="head only")

    assert "\n## Types\n" in card
    assert "- Weak, by F1: LOC (0.00)." in card
    assert "It always gives one of its labels" not in card
    assert "\n## Data\n" not in card
