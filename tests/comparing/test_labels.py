"""Comparisons whose evidence is labelled cases, end to end on a tiny encoder."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.values import Answer, EntityCase, LabelCase
from groundtune.data.frozen import read_frozen, write_frozen
from groundtune.measure.entities import TAG_END
from groundtune.recipes.compare import compare
from groundtune.recipes.comparison.by_labels import label_row
from groundtune.recipes.comparison.curve import nested_parts
from groundtune.recipes.comparison.label_choices import weigh
from groundtune.store.run import RunFolder
from groundtune.systems.label_arm import LabelSpec, LabelSystem, mix

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.measure.comparison import Summary
    from groundtune.store.models import ModelFolder

pytestmark = pytest.mark.timeout(300)

ABOUT = {
    "card": ("the card arrived late", "my card is lost", "a card is not in the"),
    "place": ("anna in oslo", "who in rome", "bert of rome in oslo"),
}


def _lines(count: int) -> list[dict[str, str]]:
    extra = ["the", "a", "my", "is", "not", "late", "paid"]
    return [
        {"text": f"{text} {extra[i % 7]} {extra[(i // 7) % 7]}", "label": label}
        for label, texts in ABOUT.items()
        for i in range(count)
        for text in (texts[i % 3],)
    ]


class Run(NamedTuple):
    """A comparison that was made, and how to make it again."""

    folder: Path
    cases: Path
    base: str
    summary: Summary
    told: list[str]

    def again(self) -> Summary:
        return compare(
            "classification",
            cases=self.cases,
            out=self.folder,
            embedder=self.base,
            changes={"epochs": "1"},
            learning_curve=True,
            tell=self.told.append,
        )


@pytest.fixture(scope="module")
def run(tiny_bert: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All arms of a classification."""
    folder = tmp_path_factory.mktemp("labels")
    cases = folder / "cases.jsonl"
    cases.write_text("".join(json.dumps(line) + "\n" for line in _lines(48)))
    made = Run(folder / "run", cases, str(tiny_bert.path), None, [])  # type: ignore[arg-type]
    return made._replace(summary=made.again())


def test_every_arm_has_a_row_for_every_case(run: Run) -> None:
    rows = RunFolder.open(run.folder).rows()
    test = read_frozen(run.folder / "cases" / "test.jsonl", LabelCase)

    for name in ("plain", "rag", "tuned", "both", "naive_both", "nearest_answer"):
        assert [r["case"] for r in rows if r["system"] == name] == [c.id for c in test]
    assert set(run.summary.arms) == {"plain", "rag", "tuned", "both"}
    assert run.summary.measure == "accuracy"
    assert "macro_f1" in run.summary.arms["both"].measures
    assert run.summary.arms["rag"].score.value > 0.7


def test_what_is_had_without_training_is_told_before_it(run: Run) -> None:
    rag = run.summary.arms["rag"].score.value
    gate = next(line for line in run.told if line.startswith("without training"))
    assert f"rag {rag:.2f}" in gate


def test_a_text_stands_on_one_side_alone(run: Run) -> None:
    sides = [
        {c.text for c in read_frozen(run.folder / "cases" / f"{side}.jsonl", LabelCase)}
        for side in ("train", "dev", "test")
    ]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_a_finished_run_is_left_as_it_is(run: Run) -> None:
    before = (run.folder / "rows.jsonl").read_bytes()
    again = run.again()
    assert (run.folder / "rows.jsonl").read_bytes() == before
    assert again.arms["both"].score == run.summary.arms["both"].score


def test_a_system_can_be_built_again_from_what_the_run_says(run: Run) -> None:
    test = read_frozen(run.folder / "cases" / "test.jsonl", LabelCase)
    for name in ("rag", "both"):
        raw = json.loads((run.folder / "systems" / f"{name}.json").read_text())
        raw["labels"] = tuple(raw["labels"])
        system = LabelSystem(LabelSpec(**raw))
        rows = [r for r in RunFolder.open(run.folder).rows() if r["system"] == name]
        answers = [system.answer(case) for case in test[:5]]
        assert [a.text for a in answers] == [r["prediction"] for r in rows[:5]]
        assert len(answers[0].hits) == 3


def test_the_weight_of_both_was_chosen_on_dev_cases(run: Run) -> None:
    choices = json.loads((run.folder / "choices.json").read_text())
    spec = json.loads((run.folder / "systems" / "both.json").read_text())
    assert spec["weight"] == choices["both-0"]["set"]["weight"]
    assert len(choices["both-0"]["scores"]) == 21


def test_the_learning_curve_is_of_nested_parts(run: Run) -> None:
    curve = json.loads((run.folder / "learning_curve.json").read_text())
    train = read_frozen(run.folder / "cases" / "train.jsonl", LabelCase)
    sizes = [point["cases"] for point in curve["points"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(train)
    # The smallest of the four parts would have fewer than eight cases.
    assert len(sizes) >= 3
    parts = [set(part) for part in nested_parts(train, seed=0)]
    assert all(small < large for small, large in pairwise(parts))
    for part in parts:
        cards = sum(case.label == "card" for case in part)
        assert abs(2 * cards - len(part)) <= 1
    assert set(run.summary.arms) == {"plain", "rag", "tuned", "both"}


def test_documents_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no documents"):
        compare(
            "classification", cases=run.cases, docs=[run.cases], out=tmp_path / "run"
        )


def test_another_file_of_cases_is_another_run(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "cases.jsonl"
    other.write_text("".join(json.dumps(line) + "\n" for line in _lines(30)))
    changed = run._replace(cases=other)
    with pytest.raises(ConfigError, match="another"):
        changed.again()


def test_named_entities_are_measured_by_their_f1(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    names = {"anna": "B-PER", "bert": "B-PER", "oslo": "B-LOC", "rome": "B-LOC"}
    frames = ("the card of {} is late", "who paid {} in the", "{} arrived not late")
    cases = tmp_path / "cases.jsonl"
    lines: list[str] = []
    for number in range(60):
        name = list(names)[number % 4]
        tokens = frames[number % 3].format(name).split() + ["a"] * (number // 12)
        tags = [names.get(token, "O") for token in tokens]
        lines.append(json.dumps({"tokens": tokens, "tags": tags}) + "\n")
    cases.write_text("".join(lines))
    summary = compare(
        "ner",
        cases=cases,
        out=tmp_path / "run",
        arms=["plain", "rag"],
        embedder=str(tiny_bert.path),
    )
    assert summary.measure == "entity_f1"
    # Every name of the test cases stands among the labelled ones.
    assert summary.arms["rag"].score.value > 0.9
    assert summary.arms["plain"].score.value == 0.0


def test_a_case_that_failed_is_wrong_and_kept() -> None:
    case = LabelCase(id="c", text="a card", label="card")
    row = label_row("rag", case, Answer(text=""), seed=0, error="it broke")
    assert row["scores"]["accuracy"] == 0.0
    assert row["error"] == "it broke"
    sentence = EntityCase(id="s", tokens=("in", "oslo"), tags=("O", "B-LOC"))
    row = label_row("rag", sentence, Answer(text="O\nB-LOC"), seed=0, error=None)
    assert row["answers"] == [TAG_END.join(sentence.tags)]
    assert row["scores"]["exact_match"] == 1.0


def test_votes_must_earn_their_weight() -> None:
    cases = [LabelCase(id=str(i), text="", label="ab"[i % 2]) for i in range(40)]
    right = [np.array([[0.9, 0.1]] if i % 2 == 0 else [[0.1, 0.9]]) for i in range(40)]
    wrong = [rows[:, ::-1].copy() for rows in right]
    found = weigh(cases, right, wrong, labels=("a", "b"))  # type: ignore[arg-type]
    assert found["set"] == {"weight": 0.0}
    found = weigh(cases, wrong, right, labels=("a", "b"))  # type: ignore[arg-type]
    assert found["set"]["weight"] == 1.0


def test_a_mixture_is_between_its_parts() -> None:
    first = [np.array([[1.0, 0.0]], np.float32)]
    second = [np.array([[0.0, 1.0]], np.float32)]
    mixed = mix([(first, 0.75), (second, 0.25)])
    assert mixed[0] == pytest.approx(np.array([[0.75, 0.25]]))


def test_frozen_cases_come_back_as_they_were(tmp_path: Path) -> None:
    cases = [EntityCase(id="1", tokens=("Ada",), tags=("B-PER",), group="g")]
    write_frozen(tmp_path / "cases.jsonl", cases)
    assert read_frozen(tmp_path / "cases.jsonl", EntityCase) == cases
    with pytest.raises(DataError, match="not a LabelCase"):
        read_frozen(tmp_path / "cases.jsonl", LabelCase)
    with pytest.raises(DataError, match="gone"):
        read_frozen(tmp_path / "none.jsonl", LabelCase)
