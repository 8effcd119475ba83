"""What the data doctor finds, and what it leaves alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.values import Document, QaCase
from groundtune.data.doctor import Finding, examine, normalise, remove_leaks
from groundtune.data.near import fingerprints, near_pairs
from groundtune.data.splits import split_cases
from groundtune.data.squad import read_squad_cases, read_squad_documents

if TYPE_CHECKING:
    from pathlib import Path


def case(identifier: str, question: str, *answers: str, source: str = "doc") -> QaCase:
    return QaCase(
        id=identifier,
        question=question,
        answers=answers,
        source=source,
        answerable=bool(answers),
    )


def found(findings: list[Finding], kind: str) -> tuple[str, ...]:
    return next((finding.cases for finding in findings if finding.kind == kind), ())


LONG = "In which of the nine northern valleys did the old clockmaker set up his shop"


def test_leaks_need_the_question_and_its_answer() -> None:
    test = [
        case("t1", "Who built the bridge?", "Ada"),
        case("t2", f"{LONG}?", "Orm"),
        case("t3", "How tall is the tower of Kest in the valley of the Orm?", "40 m"),
        case("t4", "Who is the king of Lorn?", source="lorn"),
    ]
    train = [
        case("exact", "who built the bridge", "ada!", source="elsewhere"),
        case("other-answer", "Who built the bridge?", "Bo", source="elsewhere"),
        case("near", "How tall is the tower of Kest in a valley of the Orm?", "40 m"),
        case(
            "template", "How tall is the tower of Kess in the valley of the Orm?", "5"
        ),
        case("gram", f"Tell me now, please: {LONG.lower()}, and with whom?", "Orm"),
        case("gram-other", f"Tell me now, please: {LONG.lower()}, in 1802?", "Ulm"),
        case("unanswerable", "Who is the king of Lorn?", source="lorn"),
        case("wording", "By whom was that bridge put up?", "Ada"),
    ]

    findings = examine(train, [], test)

    assert found(findings, "exact_overlap") == ("exact", "unanswerable")
    assert found(findings, "near_overlap") == ("near",)
    assert found(findings, "gram_overlap") == ("gram",)
    assert {finding.severity for finding in findings[:3]} == {"leak"}
    kept = [kept.id for kept in remove_leaks(train, findings)]
    assert kept == ["other-answer", "template", "gram-other", "wording"]
    assert not [
        finding
        for finding in examine(remove_leaks(train, findings), [], test)
        if finding.severity == "leak"
    ]


def test_a_leak_from_dev_is_named_as_such() -> None:
    same = case("d", "Who?", "Ada")

    findings = examine([], [same], [case("t", "Who?", "Ada")])

    assert findings[0].message == "1 dev cases repeat a test question and its answer"
    assert findings[0].fix == "drop them from dev: they would measure memory"


def test_duplicates_and_conflicts() -> None:
    train = [
        case("a", "Where is it?", "here"),
        case("b", "Where is it", "Here."),
        case("c", "where is it?", "there"),
        case("d", "Where is it?", "there", source="other"),
    ]

    findings = examine(train, [], [])

    assert found(findings, "duplicate") == ("b",)
    assert found(findings, "conflicting_answers") == ("c",)


def test_broken_and_long_rows() -> None:
    train = [
        case("wrong", "Where is the cafÃ©?", "here"),
        case("mark", "?!", "here"),
        case("long", "word " * 201, "here"),
        case("answer", "Why then?", "word " * 101),
    ]

    findings = examine(train, [], [])

    assert found(findings, "broken_characters") == ("wrong",)
    assert found(findings, "no_words") == ("mark",)
    assert found(findings, "long_question") == ("long",)
    assert found(findings, "long_answer") == ("answer",)
    lengths = next(f for f in findings if f.kind == "lengths")
    assert lengths.message.endswith("answers: median 1 words, longest 101")


def test_known_answers_are_a_figure_and_no_fault() -> None:
    findings = examine(
        [case("a", "Q one?", "Ada")],
        [],
        [case("t", "Another matter?", "ada"), case("u", "A third?", "Bo")],
    )

    figure = next(f for f in findings if f.kind == "answers_in_training")
    assert figure.severity == "info"
    assert figure.message.startswith("1 of 2 test cases (50 %)")


def test_answers_are_looked_for_in_their_documents() -> None:
    documents = [
        Document(id="doc", text="The bridge was built by\nAda  Byron."),
        Document(id="other", text="Nothing here."),
    ]
    cases = [
        case("there", "Who?", "ada byron"),
        case("missing", "When?", "1843"),
        case("elsewhere", "What?", "Ada Byron", source="other"),
        case("unknown", "Which?", "Ada", source="gone"),
        case("unanswerable", "Whence?"),
    ]

    findings = examine([], [], cases, documents=documents)

    assert found(findings, "answer_not_in_documents") == ("missing", "elsewhere")
    assert found(findings, "unknown_source") == ("unknown",)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abc ", max_size=12), max_size=8))
def test_near_pairs_are_those_of_an_exhaustive_search(texts: list[str]) -> None:
    def grams(text: str) -> set[str]:
        padded = f"  {text}  "
        return {padded[at : at + 4] for at in range(len(padded) - 3)}

    def similarity(one: str, other: str) -> float:
        a, b = grams(one), grams(other)
        return len(a & b) / len(a | b)

    expected = {
        (i, j): similarity(one, other)
        for i, one in enumerate(texts)
        for j, other in enumerate(texts)
        if similarity(one, other) >= 0.9
    }

    def matters(left: int, right: int) -> bool:
        return True

    prints = fingerprints(texts)
    pairs = near_pairs(prints, prints, matters=matters, threshold=0.9)

    assert {(left, right): value for left, right, value in pairs} == expected


def test_normalising() -> None:
    assert normalise(" The\u00a0CAFÉ, “No. 5” ") == "the café no 5"


def test_one_template_for_all_questions_stays_fast() -> None:
    def ask(side: str, count: int) -> list[QaCase]:
        return [
            case(
                f"{side}{n}",
                f"What is the capital of the province of {side}{n}?",
                f"city {side}{n}",
            )
            for n in range(count)
        ]

    began = time.perf_counter()
    findings = examine(ask("x", 1500), [], ask("y", 500))

    assert not [finding for finding in findings if finding.severity == "leak"]
    assert time.perf_counter() - began < 15


def test_real_squad_is_split_without_leaks(shared_data: Path) -> None:
    path = shared_data / "squad" / "v1.1.json"
    splits = split_cases(read_squad_cases(path), seed=0)

    findings = examine(
        splits.train, splits.dev, splits.test, documents=read_squad_documents(path)
    )

    leaking = [c for f in findings if f.severity == "leak" for c in f.cases]
    assert len(leaking) <= 0.01 * len(splits.train)
    assert not found(findings, "answer_not_in_documents")
