"""What is done to hits before a model reads them."""

from __future__ import annotations

import pytest

from groundtune.core.values import Hit, Passage
from groundtune.retrieve.arrange import by_position, centred, without_repeats

TEXT = (
    "The harbour opened in 1402. Boats came from Velt. A permit costs 12 crowns. "
    "It is paid at noon. The market sells fish."
)


def hit(
    text: str, *, document: str = "a.md", start: int = 0, score: float = 1.0
) -> Hit:
    passage = Passage(
        id=f"{document}{start}",
        document=document,
        start=start,
        end=start + len(text),
        text=text,
    )
    return Hit(passage=passage, score=score)


@pytest.mark.parametrize(
    ("sentences", "kept"),
    [
        (1, "Boats came from Velt. A permit costs 12 crowns. It is paid at noon."),
        (9, TEXT),
    ],
)
def test_a_hit_is_cut_around_what_was_asked(sentences: int, kept: str) -> None:
    whole = hit(TEXT, start=100)
    (cut,) = centred([whole], "What does a permit cost?", sentences=sentences)
    assert cut.passage.text == kept
    at = 100 + TEXT.index(kept)
    assert (cut.passage.start, cut.passage.end) == (at, at + len(kept))
    assert (cut.passage.id, cut.score) == (whole.passage.id, whole.score)


def test_a_hit_without_the_words_stays_whole() -> None:
    hits = [hit(TEXT), hit("...")]
    assert centred(hits, "zebra", sentences=1) == hits


def test_words_that_all_hits_have_decide_less() -> None:
    texts = [
        "The harbour office is closed. The harbour is deep. Permits end in May.",
        "The harbour wall is old.",
        "The harbour master sleeps.",
    ]
    (first, *_) = centred([hit(t) for t in texts], "harbour permits end", sentences=1)
    assert first.passage.text == "The harbour is deep. Permits end in May."


def test_repeats_go_and_the_better_one_stays() -> None:
    hits = [
        hit("A permit costs 12 crowns a day.", document="a.md"),
        hit("A permit costs 12 crowns a day!", document="copy.md"),
        hit("A permit costs 14 crowns a week.", document="b.md"),
        hit("Fish.", document="c.md"),
    ]
    kept = [one.passage.document for one in without_repeats(hits)]
    assert kept == ["a.md", "b.md", "c.md"]


def test_order_of_documents_is_that_of_their_best_hits() -> None:
    hits = [
        hit("x", document="b.md", start=50),
        hit("x", document="a.md", start=70),
        hit("x", document="b.md", start=10),
        hit("x", document="a.md", start=0),
    ]
    places = [(one.passage.document, one.passage.start) for one in by_position(hits)]
    assert places == [("b.md", 10), ("b.md", 50), ("a.md", 0), ("a.md", 70)]
