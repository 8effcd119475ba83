"""Baselines: what they say is what the labelled cases say, and nothing of the test."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.values import EntityCase, LabelCase, Span
from groundtune.measure.entities import entity_report
from groundtune.systems.baselines import Gazetteer, LabelPredictions, majority
from groundtune.systems.neighbours import LabelWords, Neighbours, Voting
from groundtune.tasks import sentiment

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

WORDS = ("card", "arrival", "lost", "refund", "money", "good", "bad", "terrible")


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
            for word in text.lower().replace(",", " ").split():
                row[WORDS.index(word) if word in WORDS else -1] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)


def cases(*pairs: tuple[str, str]) -> list[LabelCase]:
    return [
        LabelCase(id=str(i), text=text, label=label)
        for i, (text, label) in enumerate(pairs)
    ]


TRAIN = cases(
    ("card arrival", "card_arrival"),
    ("my card arrival please", "card_arrival"),
    ("refund money", "refund"),
    ("my refund my money", "refund"),
    ("lost card", "lost"),
)
LABELS = ("card_arrival", "lost", "refund")


def test_the_majority_is_said_to_every_case() -> None:
    train = [*TRAIN, *cases(("again a refund", "refund"))]
    found = majority(train, labels=LABELS, count=3)

    assert found.predicted == ("refund",) * 3
    assert found.scores_N_L[0] == pytest.approx([2 / 6, 1 / 6, 3 / 6])


def test_zero_shot_reads_the_words_of_labels() -> None:
    texts = ["where is the arrival of my card", "refund now", "it is lost"]
    embedder = CountingEmbedder()
    scores_N_L = LabelWords(LABELS, embedder=embedder).scores(embedder.encode(texts))

    predicted = LabelPredictions.of(scores_N_L, LABELS).predicted
    assert predicted == ("card_arrival", "refund", "lost")
    assert scores_N_L.shape == (3, 3)


def test_zero_shot_of_opinions_compares_with_sentences() -> None:
    embedder, labels = CountingEmbedder(), ("negative", "positive")
    words = LabelWords(labels, embedder=embedder, described=sentiment.described)
    scores_N_L = words.scores(embedder.encode(["a bad one", "so good"]))

    assert LabelPredictions.of(scores_N_L, labels).predicted == labels


def test_neighbours_vote_and_their_shares_add_up() -> None:
    texts = ["card arrival when", "money back", "lost"]
    embedder = CountingEmbedder()
    voters = Neighbours(TRAIN, labels=LABELS, embedder=embedder)
    shares_N_L = voters.shares(embedder.encode(texts))

    predicted = LabelPredictions.of(shares_N_L, LABELS).predicted
    assert predicted == ("card_arrival", "refund", "lost")
    assert shares_N_L.sum(axis=1) == pytest.approx([1, 1, 1])
    assert voters.voting.k < len(TRAIN)


def test_a_training_case_has_no_voice_in_its_own_label() -> None:
    embedder = CountingEmbedder()
    voters = Neighbours(
        TRAIN, labels=LABELS, embedder=embedder, voting=Voting(k=1, sharpness=10.0)
    )

    # The only case of "lost" has no fellow: others decide for it.
    assert voters.left_out_shares()[4, LABELS.index("lost")] == 0
    place, cosine = voters.nearest(embedder.encode(["lost card"])[0], count=2)[0]
    assert place == 4
    assert cosine == pytest.approx(1.0)


def test_the_nearest_neighbour_alone_is_the_nearest() -> None:
    texts = [case.text for case in TRAIN]
    embedder = CountingEmbedder()
    voters = Neighbours(
        TRAIN, labels=LABELS, embedder=embedder, voting=Voting(k=1, sharpness=10.0)
    )

    shares_N_L = voters.shares(embedder.encode(texts))
    predicted = LabelPredictions.of(shares_N_L, LABELS).predicted
    assert predicted == tuple(case.label for case in TRAIN)


def test_votes_equal_a_plain_reckoning() -> None:
    rng = np.random.default_rng(0)
    train = cases(
        *((" ".join(rng.choice(WORDS, 4)), str(rng.choice(LABELS))) for _ in range(600))
    )
    texts = [" ".join(rng.choice(WORDS, 5)) for _ in range(600)]
    embedder = CountingEmbedder()
    voters = Neighbours(
        train, labels=LABELS, embedder=embedder, voting=Voting(600, 7.0)
    )
    found_N_L = voters.shares(embedder.encode(texts))

    # With every training case asked, the order of neighbours no longer matters.
    likeness = embedder.encode(texts) @ embedder.encode([case.text for case in train]).T
    voices = np.exp(7.0 * likeness)
    member = np.array([[case.label == name for name in LABELS] for case in train])
    shares = voices @ member
    shares /= shares.sum(axis=1, keepdims=True)
    assert found_N_L == pytest.approx(shares, abs=1e-4)


def sentence(text: str, tags: str) -> EntityCase:
    return EntityCase(id="", tokens=tuple(text.split()), tags=tuple(tags.split()))


NAMES = [
    sentence("Ada Lovelace met Bath", "B-PER I-PER O B-PER"),
    sentence("she left Bath for New York City", "O O B-LOC O B-LOC I-LOC I-LOC"),
    sentence("from New York to Bath", "O B-LOC I-LOC O B-LOC"),
    sentence("it may rain may be and may not", "O O O O O O O O"),
    sentence("may sings", "B-PER O"),
]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("ADA LOVELACE slept", "B-PER I-PER O"),
        ("a New York City cab", "O B-LOC I-LOC I-LOC O"),
        ("a New York cab", "O B-LOC I-LOC O"),
        ("New Haven", "O O"),
        ("Bath Bath", "B-LOC B-LOC"),
        ("may go", "O O"),
        ("", ""),
    ],
)
def test_the_longest_known_name_is_found(text: str, tags: str) -> None:
    assert Gazetteer(NAMES).predict(text.split()) == tuple(tags.split())


def test_a_name_of_one_type_is_found_again_wherever_it_was_learnt() -> None:
    cases_ = [
        sentence("Ada Lovelace met Bo", "B-PER I-PER O B-PER"),
        sentence("New York", "B-LOC I-LOC"),
    ]
    gazetteer = Gazetteer(cases_)
    predicted = [gazetteer.predict(case.tokens) for case in cases_]

    assert len(gazetteer) == 3
    assert entity_report([case.tags for case in cases_], predicted).f1.value == 1.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["ada", "lovelace", "new", "york", "x"]), max_size=9))
def test_tags_fit_the_words_and_name_only_what_was_taught(tokens: list[str]) -> None:
    found = Gazetteer(NAMES).predict(tokens)

    assert len(found) == len(tokens)
    before = "O"
    for tag in found:
        if tag.startswith("I-"):
            assert before in (tag, f"B-{tag[2:]}")
        before = tag
    assert Counter(tag[2:] for tag in found).keys() <= {"", "PER", "LOC"}


def test_no_names_no_entities() -> None:
    assert Gazetteer([sentence("a b", "O O")]).predict(["a", "b"]) == ("O", "O")
