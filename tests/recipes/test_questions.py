"""The verb `questions` on a knowledge base: drafts, and a review that is broken off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from groundtune.cli.questioning import questions as verb
from groundtune.core.errors import ConfigError, DataError
from groundtune.data.cases import read_cases
from groundtune.data.questions.file import read_facts, rejected_file
from groundtune.recipes.ingest import ingest
from groundtune.recipes.questions import questions, review
from groundtune.retrieve.index import KnowledgeBase

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.data.questions.file import Fact
    from groundtune.recipes.questions import Decision

PAGES = {
    "ferry.md": "# Ferry\n\nThe Harrow ferry takes 35 minutes. A crossing costs nine "
    "crowns.\n",
    "tower.md": "# Tower\n\nThe Lantern tower is 31 metres high. It was built by Ada "
    "Holm.\n",
}


def _rejecting_the_first(_: Fact, number: int, __: int) -> Decision | None:
    return "reject" if number == 1 else None


def _looking(*_: object) -> None:
    """Stop at the first draft."""


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("island")
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    base = tmp_path_factory.mktemp("base") / "kb"
    ingest([folder], kb=base)
    return base


def test_drafts_come_with_the_place_that_answers_them(kb: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafts.jsonl"
    made = questions(kb=kb, out=out)
    assert (made.documents, made.facts, made.cases) == (2, 3, 9)
    assert made.by_rule == {"amount": 2, "value": 1}
    base = KnowledgeBase.open(kb)
    for fact in read_facts(out):
        text = base.document_text(fact.source)
        assert text[fact.start : fact.end] == fact.evidence
        assert fact.answer in fact.evidence
    assert {case.group for case in read_cases(out)} == {"ferry.md", "tower.md"}


def test_reviews_are_never_overwritten(kb: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafts.jsonl"
    questions(kb=kb, out=out, limit=1)
    before = out.read_bytes()
    with pytest.raises(ConfigError, match="drafted questions already"):
        questions(kb=kb, out=out)
    assert out.read_bytes() == before
    assert len(read_facts(out)) == 1


def test_a_base_without_anything_to_ask_says_so(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Hm\n\nSo it goes.\n", encoding="utf-8")
    ingest([tmp_path / "docs"], kb=tmp_path / "kb")
    with pytest.raises(DataError, match="found nothing to ask in 1 documents"):
        questions(kb=tmp_path / "kb", out=tmp_path / "drafts.jsonl")


def test_a_review_goes_on_where_it_was_left(kb: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafts.jsonl"
    runner = CliRunner()
    assert runner.invoke(verb, ["--kb", str(kb), "--out", str(out)]).exit_code == 0
    first = runner.invoke(verb, ["--out", str(out), "--review"], input="a\nq\n")
    assert first.exit_code == 0
    assert first.stdout == f"1 facts accepted (3 cases), 0 rejected, 2 left in {out}\n"
    assert "1 of 3" in first.stderr
    # An answer from elsewhere is not taken; then two wordings are dropped.
    typed = "r\ne\n\n\n\n50 metres\ne\nHow tall is it?\n-\n-\n31 metres\n"
    second = runner.invoke(verb, ["--out", str(out), "--review", "--json"], input=typed)
    assert second.exit_code == 0, second.output
    assert "does not stand in the evidence" in second.stderr
    assert json.loads(second.stdout) == {
        "accepted": 2,
        "rejected": 1,
        "left": 0,
        "cases": 4,
    }
    cases = read_cases(out)
    assert all(case.reviewed for case in cases)
    assert "How tall is it?" in {case.question for case in cases}
    assert [fact.reviewed for fact in read_facts(rejected_file(out))] == [False]


def test_what_was_rejected_before_a_crash_is_not_asked_again(
    kb: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drafts.jsonl"
    questions(kb=kb, out=out)
    whole = out.read_bytes()
    review(out, _rejecting_the_first)
    # Power went between writing it aside and taking it out.
    out.write_bytes(whole)
    found = review(out, _looking)
    assert (found.rejected, found.left) == (1, 2)


def test_a_file_of_other_cases_is_not_reviewed(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "Q?", "answers": ["A"]}\n', encoding="utf-8")
    with pytest.raises(DataError, match="not a drafted case"):
        review(path, _looking)
    with pytest.raises(DataError, match="no such file"):
        review(tmp_path / "none.jsonl", _looking)


@pytest.mark.slow
def test_what_a_model_knows_alone_is_left_out(kb: Path, tmp_path: Path) -> None:
    made = questions(
        kb=kb, out=tmp_path / "drafts.jsonl", limit=2, model="smollm2-135m-instruct"
    )
    assert made.facts == 2  # it cannot know of an invented island
    assert made.dropped == {}
