"""Questions made from documents, and the order in which pairs are trained on."""

from __future__ import annotations

from groundtune.core.values import Passage
from groundtune.tune.pairs import Pair, made_questions, plan_batches

SENTENCES = (
    "The lighthouse keeper counted ships every evening before supper.",
    "In winter the lamp burned for fourteen hours without a pause.",
    "Oil came by boat once a month when the weather allowed it.",
)


def passage(number: int, *, heading: str = "") -> Passage:
    text = " ".join(SENTENCES)
    return Passage(
        id=f"{number:04x}",
        document=f"d{number}",
        start=0,
        end=len(text),
        text=text,
        heading=heading,
    )


def test_a_sentence_stands_for_a_question_and_is_gone_from_the_text() -> None:
    made = made_questions([passage(number) for number in range(20)], most=100)

    assert len(made) == 20
    for question in made:
        assert question.query in SENTENCES
        assert question.query not in question.text
        assert len(question.text) > 100
    assert len({question.query for question in made}) == 3


def test_a_heading_stands_for_a_question_and_is_gone_too() -> None:
    heading = "Handbook > How lamps were kept burning"
    made = made_questions([passage(n, heading=heading) for n in range(40)], most=100)

    titles = [q for q in made if q.query == "How lamps were kept burning"]
    assert 5 < len(titles) < 35
    for question in titles:
        assert question.text.startswith("Handbook\n")
        assert question.query not in question.text


def test_short_passages_give_no_question() -> None:
    short = Passage(id="a", document="d", start=0, end=9, text="Too short")

    assert made_questions([short], most=10) == []


def test_which_passages_are_taken_follows_from_their_ids() -> None:
    passages = [passage(number) for number in range(20)]
    few = made_questions(passages, most=5)

    assert few == made_questions(passages[::-1], most=5)
    assert few == made_questions(passages, most=20)[:5]


def test_every_pair_comes_once_an_epoch() -> None:
    pairs = [Pair(query=str(n), positive=str(n)) for n in range(10)]
    steps = plan_batches(pairs, epochs=2, batch_pairs=4, most=100, seed=0)

    assert [len(step) for step in steps] == [4, 4, 2, 4, 4, 2]
    first = [index for step in steps[:3] for index in step]
    assert sorted(first) == list(range(10))
    assert first != [index for step in steps[3:] for index in step]
    assert steps != plan_batches(pairs, epochs=2, batch_pairs=4, most=100, seed=1)


def test_a_single_pair_is_no_step_and_the_bound_holds() -> None:
    pairs = [Pair(query=str(n), positive=str(n)) for n in range(9)]

    steps = plan_batches(pairs, epochs=3, batch_pairs=4, most=12, seed=0)
    assert [len(step) for step in steps] == [4, 4, 4]
