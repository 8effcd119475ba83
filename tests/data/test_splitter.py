"""Documents to passages: bounds, offsets, structure."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import ConfigError
from groundtune.core.values import Block, Document, Passage
from groundtune.data.read_markdown import read_markdown
from groundtune.data.read_text import read_text
from groundtune.data.splitter import split_document
from groundtune.data.squad import read_squad_cases, read_squad_documents

if TYPE_CHECKING:
    from pathlib import Path

SMALL = SplitterSettings(target=20, maximum=24, minimum=6)


def markdown(text: str) -> Document:
    return read_markdown(text.encode(), name="guide.md", where="guide.md")


def sentence(words: int, start: str = "Word") -> str:
    return " ".join([start, *["word"] * (words - 2), "end."])


def test_a_section_becomes_a_passage_with_its_headings(tokenizer: Any) -> None:
    document = markdown(
        f"# Guide\n\n## Install\n\n{sentence(10)}\n\n## Run\n\n{sentence(12)}\n"
    )

    passages = split_document(document, tokenizer=tokenizer, settings=SMALL)

    assert [passage.heading for passage in passages] == [
        "Guide > Install",
        "Guide > Run",
    ]
    assert passages[0].text == f"# Guide\n\n## Install\n\n{sentence(10)}"


def test_front_matter_is_no_passage_unless_there_is_nothing_else(
    tokenizer: Any,
) -> None:
    front = "---\ntitle: Leave\ndate: 2025-03-01\n---\n"

    def texts(text: str) -> list[str]:
        cut = split_document(markdown(text), tokenizer=tokenizer, settings=SMALL)
        return [passage.text for passage in cut]

    assert texts(f"{front}# Leave\n\n28 days.\n") == ["# Leave\n\n28 days."]
    assert texts(front) == [front.strip()]


def test_paragraphs_that_together_pass_the_target_stay_apart(tokenizer: Any) -> None:
    one, other = sentence(11, "One"), sentence(12, "Other")
    document = read_text(f"{one}\n\n{other}".encode(), name="a", where="a")

    passages = split_document(document, tokenizer=tokenizer, settings=SMALL)

    assert [passage.text for passage in passages] == [one, other]


def test_a_small_paragraph_joins_its_neighbour_past_the_target(tokenizer: Any) -> None:
    text = f"{sentence(18)}\n\nA few words."
    document = read_text(text.encode(), name="a", where="a")

    passages = split_document(document, tokenizer=tokenizer, settings=SMALL)

    assert [passage.text for passage in passages] == [text]


def test_a_small_section_is_not_joined_over_a_chapter(tokenizer: Any) -> None:
    document = markdown("# One\n\nFew words.\n\n# Two\n\nFew words.")

    passages = split_document(document, tokenizer=tokenizer, settings=SMALL)

    assert [passage.heading for passage in passages] == ["One", "Two"]


def test_small_sections_below_the_chapters_are_joined(tokenizer: Any) -> None:
    document = markdown("# T\n\n## C\n\n### A\n\nOne.\n\n### B\n\nTwo.\n\n## D\n\nEnd.")
    settings = replace(SMALL, minimum=12)

    passages = split_document(document, tokenizer=tokenizer, settings=settings)

    assert [passage.heading for passage in passages] == ["T > C", "T > D"]


def test_a_large_paragraph_is_cut_at_sentences_into_like_parts(tokenizer: Any) -> None:
    text = " ".join(sentence(8, f"S{number}") for number in range(8))
    document = read_text(text.encode(), name="a", where="a")

    passages = split_document(document, tokenizer=tokenizer, settings=SMALL)

    assert all(passage.text.endswith("end.") for passage in passages)
    assert len({len(passage.text) for passage in passages}) == 1


def test_code_is_cut_at_lines(tokenizer: Any) -> None:
    lines = [f"call_{number}(a, b)" for number in range(20)]
    text = "```\n" + "\n".join(lines) + "\n```"

    passages = split_document(markdown(text), tokenizer=tokenizer, settings=SMALL)

    cut = [line for passage in passages for line in passage.text.split("\n")]
    assert cut == ["```", *lines, "```"]
    assert len(passages) > 3


def test_a_heading_stays_with_what_it_heads(tokenizer: Any) -> None:
    text = f"# Title\n\n{' '.join(sentence(9) for _ in range(6))}"

    first = split_document(markdown(text), tokenizer=tokenizer, settings=SMALL)[0]

    assert first.text.startswith("# Title\n\nWord")


def test_overlap_repeats_the_sentence_before(tokenizer: Any) -> None:
    text = " ".join(sentence(6, f"S{number}") for number in range(9))
    document = read_text(text.encode(), name="a", where="a")
    settings = SplitterSettings(target=14, maximum=24, minimum=0, overlap_sentences=1)

    passages = split_document(document, tokenizer=tokenizer, settings=settings)

    for before, after in pairwise(passages):
        last = "S" + before.text.rsplit("S", 1)[1]
        assert after.text.startswith(last)
        assert after.start < before.end


def test_ids_name_place_text_and_version(tokenizer: Any) -> None:
    document = read_text(b"Some words.", name="a", where="a")

    def identifier(document: Document, settings: SplitterSettings) -> str:
        found = split_document(document, tokenizer=tokenizer, settings=settings)
        return found[0].id

    same = identifier(document, SMALL)
    assert identifier(document, SMALL) == same
    assert identifier(document, replace(SMALL, version="s0")) != same
    assert identifier(replace(document, id="b"), SMALL) != same
    assert identifier(replace(document, text="Some wordz."), SMALL) != same


WORDS = st.sampled_from(
    [
        "a",
        "word",
        "End.",
        "incomprehensibilities",
        "x" * 150,
        "好好好。",
        "1,2",
        "\u00a0",
    ]
)
LINES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "# ", "## ", "- ", "```", "    ", "| "]),
        st.lists(WORDS, max_size=12).map(" ".join),
    ),
)
TEXTS = st.lists(LINES, max_size=25).map("\n".join)
SETTINGS = st.builds(
    SplitterSettings,
    target=st.integers(12, 30),
    maximum=st.integers(30, 40),
    minimum=st.integers(0, 12),
    overlap_sentences=st.integers(0, 2),
)


def check(
    document: Document, passages: list[Passage], *, maximum: int, tokenizer: Any
) -> None:
    for passage in passages:
        assert passage.text == document.text[passage.start : passage.end]
        assert passage.text.strip()
        assert len(tokenizer.offsets(passage.text)) <= maximum
    starts = [passage.start for passage in passages]
    ends = [passage.end for passage in passages]
    assert starts == sorted(starts)
    assert ends == sorted(ends)
    assert len({passage.id for passage in passages}) == len(passages)


@settings(deadline=None)
@given(text=TEXTS, settings=SETTINGS)
def test_whatever_the_text_passages_keep_their_promises(
    text: str, settings: SplitterSettings, tokenizer: Any
) -> None:
    if not text.strip():
        return
    document = markdown(text)

    passages = split_document(document, tokenizer=tokenizer, settings=settings)

    check(
        document,
        passages,
        maximum=settings.maximum,
        tokenizer=tokenizer,
    )
    assert passages == split_document(document, tokenizer=tokenizer, settings=settings)
    covered = set[int]()
    for passage in passages:
        places = range(passage.start, passage.end)
        if not settings.overlap_sentences:
            assert covered.isdisjoint(places)
        covered.update(places)
    assert all(place in covered or char.isspace() for place, char in enumerate(text))


@settings(deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_text_that_no_block_covers_is_not_lost(
    text: str, cuts: list[int], tokenizer: Any
) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts})
    blocks = [
        Block("paragraph", start, end)
        for start, end in zip(places[::2], places[1::2], strict=False)
    ]
    document = Document(id="d", text=text, blocks=tuple(blocks))

    passages = split_document(document, tokenizer=tokenizer, settings=SMALL)

    joined = "".join(passage.text for passage in passages)
    assert "".join(joined.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"maximum": 4, "target": 4, "minimum": 0}, "splitter.maximum"),
        ({"target": 300}, "splitter.target"),
        ({"minimum": 201}, "splitter.minimum"),
        ({"overlap_sentences": -1}, "splitter.overlap_sentences"),
    ],
)
def test_settings_check_themselves(changes: dict[str, int], where: str) -> None:
    with pytest.raises(ConfigError) as error:
        SplitterSettings(**changes)  # pyright: ignore[reportArgumentType]

    assert error.value.where == where


@pytest.mark.parametrize("name", ["v1.1.json", "v2.0.json"])
def test_answers_stand_whole_in_one_passage(
    shared_data: Path, name: str, tokenizer: Any
) -> None:
    path = shared_data / "squad" / name
    documents = {document.id: document for document in read_squad_documents(path)}
    passages = {
        key: split_document(document, tokenizer=tokenizer, settings=SplitterSettings())
        for key, document in documents.items()
    }
    cases = [case for case in read_squad_cases(path) if case.answerable]

    def found(case: Any) -> bool:
        text = documents[case.source].text
        start = text.index(case.evidence[0])
        end = start + len(case.evidence[0])
        return any(
            passage.start < end
            and passage.end > start
            and any(answer in passage.text for answer in case.answers)
            for passage in passages[case.source]
        )

    assert sum(map(found, cases)) / len(cases) >= 0.97
