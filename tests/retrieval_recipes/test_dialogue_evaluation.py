"""What is found for the turns of labelled conversations, by each way to search."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.data.dialogues import read_dialogue_documents, read_dialogues
from groundtune.recipes.dialogue_evaluation import (
    HISTORY,
    LAST,
    RULES,
    SWITCHED,
    evaluate_dialogue,
)
from groundtune.recipes.dialogue_turns import GoldTurns, choose, group_of, switch
from groundtune.retrieve.index import KnowledgeBase
from groundtune.tasks.dialogue import turn_number

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Embedder
    from groundtune.recipes.dialogue_evaluation import DialogueReport

PLACES = ("harbour", "mill", "forge", "library", "orchard", "quarry", "tannery")
PEOPLE = ("Anselm", "Brida", "Corvin")


@pytest.fixture
def talks(tmp_path: Path) -> tuple[Path, Path]:
    """Documents and, on each, a question and a follow-up that does not name it."""
    docs: list[str] = []
    turns: list[str] = []
    for place in PLACES:
        for number, person in enumerate(PEOPLE):
            name = f"{place}-{person}"
            rent = f"A berth there costs {number + 2} crowns and is paid in spring."
            text = (
                f"{person} looks after the {place} of the northern valley. {rent} "
                "Nobody is let in at night."
            )
            title = f"The {place} of {person}"
            docs.append(json.dumps({"doc_id": name, "title": title, "text": text}))
            asked = f"Who looks after the {place} of {person}?"
            shared: dict[str, Any] = {"doc_id": name, "span_ids": []}
            turns.append(
                json.dumps(
                    {
                        "id": f"{name}_1",
                        "question": asked,
                        "history_latest_first": [],
                        "answers": {"text": [f"{person} looks after"]},
                        **shared,
                    }
                )
            )
            turns.append(
                json.dumps(
                    {
                        "id": f"{name}_3",
                        "question": "And what does it cost?",
                        "history_latest_first": [
                            f"agent:{person} looks after it.",
                            f"user:{asked}",
                        ],
                        "answers": {"text": [rent]},
                        **shared,
                    }
                )
            )
    (tmp_path / "docs.jsonl").write_text("\n".join(docs))
    (tmp_path / "turns.jsonl").write_text("\n".join(turns))
    return tmp_path / "docs.jsonl", tmp_path / "turns.jsonl"


def measured(talks: tuple[Path, Path], kb: Path, words: Embedder) -> DialogueReport:
    docs, turns = talks
    return evaluate_dialogue(cases=turns, kb=kb, docs=docs, embedder=words, part="all")


def test_rewriting_finds_what_the_last_turn_leaves_out(
    talks: tuple[Path, Path], tmp_path: Path, words: Embedder
) -> None:
    report = measured(talks, tmp_path / "kb", words)

    first, later = report.turns["first"], report.turns["follow_up"]
    for measure, figure in first[LAST].items():
        assert first[RULES][measure] == first[HISTORY][measure]
        assert first[RULES][measure].value == figure.value
    assert later[RULES]["document_hit@5"].value == 1.0
    assert later[LAST]["document_hit@5"].value < 0.5
    gap = report.differences["follow_up"]["rules-last"]["passage_hit@5"]
    assert gap["difference"]["low"] > 0.3
    assert later[RULES]["passage_hit@1"].n == len(PLACES) * len(PEOPLE)
    assert report.documents == len(PLACES) * len(PEOPLE)
    assert report.turns["refers_back"] == later
    assert set(report.turns) == {"first", "follow_up", "refers_back", SWITCHED}


def test_the_report_repeats_itself_and_is_json(
    talks: tuple[Path, Path], tmp_path: Path, words: Embedder
) -> None:
    once = measured(talks, tmp_path / "kb", words).to_json()
    again = measured(talks, tmp_path / "kb", words).to_json()

    assert json.loads(json.dumps(once)) == again
    assert once["topics"]["seen"]["n"] == len(PLACES) * len(PEOPLE)


def test_parts_share_no_document(talks: tuple[Path, Path]) -> None:
    cases = read_dialogues(talks[1])
    dev = choose(cases, part="dev", limit=None, seed=0)
    test = choose(cases, part="test", limit=None, seed=0)

    assert len(dev) + len(test) == len(cases)
    assert not {group_of(case) for case in dev} & {group_of(case) for case in test}
    assert 0.2 < len(dev) / len(cases) < 0.6
    few = choose(cases, part="all", limit=5, seed=0)
    assert len(few) == 5
    assert [case for case in cases if case in few] == few


def test_a_switched_turn_stands_behind_another_document(
    talks: tuple[Path, Path],
) -> None:
    cases = read_dialogues(talks[1])
    by_question = {case.messages[-1].content: case for case in cases}
    made = switch(cases, seed=0)

    assert len(made) == len(cases) / 2
    for case in made:
        assert case.messages[-1] == by_question[case.messages[-1].content].messages[-1]
        assert turn_number(case) == 3
        before = by_question[case.messages[0].content]
        assert before.source != case.source
    assert switch(cases, seed=0) == made


def test_right_passages_hold_half_of_the_evidence_or_most_of_it(
    talks: tuple[Path, Path], tmp_path: Path, words: Embedder
) -> None:
    base = KnowledgeBase.create_or_open(tmp_path / "kb", embedder=words)
    base.update(read_dialogue_documents(talks[0]), delete_missing=False)
    case = read_dialogues(talks[1])[1]
    (right,) = GoldTurns(base).passages(case)

    (passage,) = [p for p in base.passages(case.source) if p.id == right]
    assert case.evidence[0] in passage.text
    assert not GoldTurns(base).passages(replace(case, evidence=("never said",)))
    assert not GoldTurns(base).passages(replace(case, source="nowhere"))


def test_mistakes_say_what_is_wrong(
    talks: tuple[Path, Path], tmp_path: Path, words: Embedder
) -> None:
    docs, turns = talks
    kb = tmp_path / "kb"
    with pytest.raises(StoreError):
        evaluate_dialogue(cases=turns, kb=kb, embedder=words)
    with pytest.raises(ConfigError, match="limit 0"):
        evaluate_dialogue(cases=turns, kb=kb, docs=docs, embedder=words, limit=0)
    other = tmp_path / "other.jsonl"
    row = {"messages": [{"role": "user", "content": "Who?"}], "answers": ["x"]}
    other.write_text(json.dumps(row))
    with pytest.raises(DataError, match="no case names a source"):
        evaluate_dialogue(cases=other, kb=kb, docs=docs, embedder=words)
