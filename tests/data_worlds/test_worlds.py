"""A world is reproducible, its questions are answered by its documents, and fair."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.errors import StoreError
from groundtune.core.values import QaCase
from groundtune.data.worlds import World, make_world, write_world
from groundtune.data.worlds.facts import KINDS

seeds = st.integers(min_value=0, max_value=2**32 - 1)
few = settings(max_examples=10, deadline=None)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(0)


def texts(world: World) -> dict[str, str]:
    return {document.id: document.text for document in world.documents}


def digest(world: World) -> str:
    return hashlib.sha256(repr(world).encode()).hexdigest()


def entity_and_attribute(case: QaCase) -> str:
    return "/".join(case.id.split("/")[1:3])


@given(seed=seeds)
@few
def test_same_seed_gives_same_world(seed: int) -> None:
    assert make_world(seed, size="tiny") == make_world(seed, size="tiny")


def test_same_seed_gives_same_bytes_in_another_process(world: World) -> None:
    code = (
        "import hashlib; from groundtune.data.worlds import make_world;"
        "print(hashlib.sha256(repr(make_world(0)).encode()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert other.stdout.strip() == digest(world)


def test_other_seed_gives_other_names() -> None:
    one, two = (make_world(seed, size="tiny") for seed in (0, 1))

    assert not {d.title for d in one.documents if d.id.startswith("town")} & {
        d.title for d in two.documents if d.id.startswith("town")
    }


@given(seed=seeds)
@few
def test_every_answer_stands_verbatim_in_its_source(seed: int) -> None:
    world = make_world(seed, size="tiny")
    documents = texts(world)

    cases = world.train + world.dev + world.test_seen + world.test_unseen
    for case in cases + world.controls:
        (evidence,) = case.evidence
        assert evidence in documents[case.source]
        assert case.answers[0] in evidence


@given(seed=seeds)
@few
def test_edits_follow_the_edited_documents(seed: int) -> None:
    world = make_world(seed, size="tiny")
    before = texts(world)
    after = {document.id: document.text for document in world.edited_documents}

    assert before.keys() == after.keys()
    assert len(world.edits) == world.size.edits
    for edit in world.edits:
        old, new = edit.old_answers[0], edit.case.answers[0]
        assert edit.case.evidence[0] in after[edit.case.source]
        assert old in before[edit.case.source]
        assert not re.search(rf"\b{re.escape(old)}\b", new)
        assert not re.search(rf"\b{re.escape(new)}\b", old)


def test_an_edit_changes_only_lines_that_state_it(world: World) -> None:
    changed = {edit.case.answers[0] for edit in world.edits}

    for old, new in zip(world.documents, world.edited_documents, strict=True):
        for was, now in zip(old.text.split("\n"), new.text.split("\n"), strict=True):
            assert was == now or any(value in now for value in changed)


def test_no_stale_value_is_left_anywhere_about_its_entity(world: World) -> None:
    titles = {document.id: document.title for document in world.documents}
    for edit in world.edits:
        name, old = titles[edit.case.source], edit.old_answers[0]
        for document in world.edited_documents:
            for line in document.text.split("\n"):
                assert f"- {name}: {old}" != line
        article = next(
            d.text for d in world.edited_documents if d.id == edit.case.source
        )
        assert not re.search(rf"\b{re.escape(old)}\b", article)


def test_unanswerable_questions_have_no_answer_in_the_documents(world: World) -> None:
    answered = {entity_and_attribute(case) for case in world.train + world.test_unseen}

    assert world.unanswerable
    for case in world.unanswerable:
        assert not case.answerable
        assert case.answers == ()
        assert entity_and_attribute(case) not in answered


def test_controls_ask_in_the_words_of_the_unanswerable(world: World) -> None:
    def shape(case: QaCase) -> tuple[str, str, str]:
        _, slug, attribute, wording = case.id.split("/")
        return slug.split("-")[0], attribute, wording

    assert [shape(case) for case in world.controls] == [
        shape(case) for case in world.unanswerable
    ]
    assert all(case.answerable for case in world.controls)


def test_unanswerable_covers_absent_entities_and_withheld_attributes(
    world: World,
) -> None:
    known = {document.id for document in world.documents}
    groups = [case.group in known for case in world.unanswerable]

    assert groups.count(True) >= 10
    assert groups.count(False) >= 10


def test_no_wording_is_shared_by_training_dev_and_test() -> None:
    for kind in KINDS:
        for attribute in kind.attributes:
            wordings = (*attribute.train, attribute.dev, *attribute.test)
            assert len(set(wordings)) == 8
            assert all("{name}" in wording for wording in wordings)


def test_statements_of_a_fact_are_worded_differently() -> None:
    for kind in KINDS:
        for attribute in kind.attributes:
            said = (*attribute.article, attribute.almanac, attribute.letter)
            assert len(set(said)) == 4
            assert all("{value}" in wording for wording in said)
            assert "{name}" in attribute.article[0]


def test_splits_share_no_question_and_no_id(world: World) -> None:
    everything = world.train + world.dev + world.test + world.new_cases
    assert len({case.id for case in everything}) == len(everything)
    assert len({case.question for case in everything}) == len(everything)


def test_seen_facts_are_trained_on_and_unseen_entities_are_not(world: World) -> None:
    trained = {entity_and_attribute(case) for case in world.train}
    trained_sources = {case.source for case in world.train}

    assert {entity_and_attribute(case) for case in world.test_seen} == trained
    assert not {case.source for case in world.test_unseen} & trained_sources
    assert (
        Counter(entity_and_attribute(case) for case in world.train).most_common()[-1][1]
        == 5
    )


def test_new_entities_stand_only_in_the_new_documents(world: World) -> None:
    new = {document.id: document.text for document in world.new_documents}

    assert new
    assert not new.keys() & texts(world).keys()
    for case in world.new_cases:
        assert case.answers[0] in new[case.source]


def test_guessing_does_not_pay(world: World) -> None:
    rates = world.base_rates()

    assert len(rates) == sum(len(kind.attributes) for kind in KINDS)
    assert max(rates.values()) <= 0.1


def test_no_value_of_a_list_contains_another() -> None:
    for kind in KINDS:
        for attribute in kind.attributes:
            pool = attribute.values.pool
            assert not pool or len(set(pool)) >= 24
            for one in pool:
                assert not [o for o in pool if o != one and re.search(rf"\b{one}\b", o)]


def test_some_names_are_parts_of_others(world: World) -> None:
    titles = [d.title for d in world.documents if not d.id.startswith("letter")]
    pairs = [(a, b) for a in titles for b in titles if a != b and b.startswith(a)]

    assert len(pairs) >= 10


def test_small_world_has_the_size_of_a_demo(world: World) -> None:
    lengths = [len(d.text.split()) for d in world.documents if d.id.count("-") > 1]

    assert 75 <= len(world.documents) <= 100
    assert 300 <= len(world.train) / 5 + len(world.test_unseen) <= 360
    assert max(lengths) <= 200


def test_page_on_worlds_counts_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "world.md").read_text(encoding="utf-8")
    told = {
        label: (int(small.replace(",", "")), int(tiny.replace(",", "")))
        for label, small, tiny in re.findall(
            r"^\| ([^|]+?) \| ([\d,]+) \| ([\d,]+) \|$", page, re.MULTILINE
        )
    }
    small, tiny = make_world(0), make_world(0, size="tiny")

    def pair(name: str) -> tuple[int, int]:
        return len(getattr(small, name)), len(getattr(tiny, name))

    assert told["documents"] == pair("documents")
    assert told["`train` (five wordings a fact)"] == pair("train")
    assert told["`unanswerable`, and as many `controls`"] == pair("controls")
    for name in ("dev", "test_seen", "test_unseen", "edits", "new_cases"):
        assert told[f"`{name}`"] == pair(name)


def test_written_world_reads_back(tmp_path: Path) -> None:
    world = make_world(3, size="tiny")
    write_world(world, tmp_path)
    write_world(world, tmp_path)

    lines = (tmp_path / "test.jsonl").read_text(encoding="utf-8").splitlines()
    fields = [json.loads(line) for line in lines]
    read = [
        QaCase(**f | {"answers": tuple(f["answers"]), "evidence": tuple(f["evidence"])})
        for f in fields
    ]
    assert tuple(read) == world.test
    assert {p.name for p in (tmp_path / "docs").iterdir()} == texts(world).keys()
    first = json.loads((tmp_path / "edits.jsonl").read_text().split("\n")[0])
    assert first["old_answers"]
    assert first["old_answers"] != first["answers"]


def test_another_world_is_not_mixed_into_a_folder(tmp_path: Path) -> None:
    write_world(make_world(3, size="tiny"), tmp_path)
    before = sorted(p.name for p in tmp_path.rglob("*"))

    with pytest.raises(StoreError, match="another world"):
        write_world(make_world(4, size="tiny"), tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
