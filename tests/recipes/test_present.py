"""A tuned model's folder after presenting: baselines, page and card agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.values import EntityCase, LabelCase, Span
from groundtune.recipes import present

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

WORDS = ("red", "blue", "round", "flat")
LABELS = ("blue_thing", "red_thing")


class Characters:
    """A tokenizer of single characters; nothing here cuts texts."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(at, at + 1) for at in range(len(text))]


class CountingEmbedder:
    """Counts known words: texts are alike where their words are."""

    name = "counting"
    dim = len(WORDS) + 1
    max_tokens = 256
    tokenizer = Characters()

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[WORDS.index(word) if word in WORDS else -1] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cases(count: int, *, labels: Sequence[str] = LABELS) -> list[LabelCase]:
    rng = np.random.default_rng(count)
    return [
        LabelCase(
            id=f"c{i}",
            text=f"{('blue', 'red')[which]} {rng.choice(WORDS)} {rng.choice(WORDS)}",
            label=labels[which],
        )
        for i, which in enumerate(map(int, rng.integers(2, size=count)))
    ]


def test_a_folder_is_left_with_page_and_card(tmp_path: Path) -> None:
    train, test = cases(80), cases(60)
    folder = tmp_path / "colours"
    folder.mkdir()
    gold = np.array([LABELS.index(case.label) for case in test])
    logits = np.where(np.arange(2) == gold[:, np.newaxis], 3.0, 0.0).astype(np.float32)
    model = present.present_labels(
        folder,
        task="classification",
        train=train,
        test=test,
        labels=LABELS,
        predicted=[case.label for case in test],
        logits_N_L=logits,
        temperature=0.9,
        embedder=CountingEmbedder(),
        base="all-minilm-l6-v2",
        method="full",
        settings={"epochs": 3},
    )

    assert list(model.baselines) == ["majority", "zero-shot", "neighbours"]
    assert model.score.value == 1.0
    assert model.baselines["neighbours"].value > model.baselines["majority"].value
    page = (folder / "report.html").read_text(encoding="utf-8")
    card = (folder / "README.md").read_text(encoding="utf-8")
    for text in (page, card):
        assert "colours" in text
        assert "neighbours" in text
        assert model.data["test sha256"] in text
    assert card.count("base model") == 1
    assert model.data["training cases"] == 80


def test_dev_cases_are_not_passed_off_as_test_cases(tmp_path: Path) -> None:
    train, dev = cases(30), cases(20)
    model = present.present_labels(
        tmp_path,
        task="sentiment",
        train=train,
        test=dev,
        basis="dev",
        labels=LABELS,
        predicted=[case.label for case in dev],
        base="b",
        method="head only",
    )

    assert "20 dev cases" in model.told
    assert "chose the weights" in model.warnings[0]
    for name in ("report.html", "README.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "never saw" not in text
        assert "dev sha256" in text
        assert "chose the weights" in text


def test_numbers_as_labels_have_no_zero_shot() -> None:
    train, test = (cases(count, labels=("0", "1")) for count in (20, 5))
    texts = [case.text for case in test]
    found = present.label_baselines(
        train,
        texts,
        task="sentiment",
        labels=("0", "1"),
        embedder=CountingEmbedder(),
    )

    assert list(found) == ["majority", "neighbours"]
    assert all(len(said) == 5 for said in found.values())
    without = present.label_baselines(train, texts, task="sentiment", labels=("0", "1"))
    assert list(without) == ["majority"]


def test_other_cases_have_another_hash(tmp_path: Path) -> None:
    train = [
        EntityCase(id="1", tokens=("Ada", "ran", "off"), tags=("B-PER", "O", "O")),
        EntityCase(id="2", tokens=("Bo", "sat"), tags=("B-PER", "O")),
    ]
    test = [EntityCase(id="3", tokens=("Ada", "sat"), tags=("B-PER", "O"))]
    first, second = (
        present.present_entities(
            tmp_path,
            train=train[:count],
            test=test,
            tags=("O", "B-PER", "I-PER"),
            predicted=[("O", "O")],
            base="b",
            method="head only",
        )
        for count in (1, 2)
    )

    assert first.baselines["gazetteer"].value == 1.0
    assert first.baselines["majority"].value == 0.0
    assert first.gain is not None
    assert first.gain.value == pytest.approx(-1.0)
    assert first.data["training sha256"] != second.data["training sha256"]
    assert first.data["test sha256"] == second.data["test sha256"]
    assert "does not pay" not in first.told
