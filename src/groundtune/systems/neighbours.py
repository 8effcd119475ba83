"""Labels by likeness: no training, only an embedder that stands ready.

For label tasks these are the arms without tuned weights: `LabelWords` compares a text
with the labels' own words (plain), `Neighbours` with labelled examples (rag). They
cost one pass of the embedder, and a tuned model has to beat them to be worth keeping.
Axis suffixes: N cases, T training cases, L labels, D dimensions, K neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.core.values import Hit, Passage
from groundtune.tasks.classification import described as in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from groundtune.core.protocols import Embedder
    from groundtune.core.values import LabelCase

    Floats = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int64]

NEIGHBOURS = (1, 3, 5, 10, 20, 50, 100)
"""Numbers of neighbours that are tried on the training cases."""

SHARPNESS = (5.0, 10.0, 20.0, 40.0)
"""How fast a voice may fade with distance, tried in the same way."""

_BLOCK = 512
"""Cases compared with all training cases at once: 20 MB for 10,000 of these."""

_TRIED = 2_000
"""Training cases on which the number of neighbours is chosen."""


TRAINING_CASES = "train"
"""What rows call the document that a training case stands in."""


def training_hit(name: str, place: int, *, text: str, cosine: float) -> Hit:
    """A training case as something that was found: a line of a document of its own."""
    passage = Passage(
        id=name, document=TRAINING_CASES, start=place, end=place + 1, text=text
    )
    return Hit(passage=passage, score=cosine, similarity=cosine)


class Voting(NamedTuple):
    """How neighbours vote."""

    k: int
    """How many are asked."""
    sharpness: float
    """A neighbour whose cosine is `1 / sharpness` lower has 1/e of the voice."""


class LabelWords:
    """The words of the labels themselves, which texts are compared with."""

    def __init__(
        self,
        labels: Sequence[str],
        *,
        embedder: Embedder,
        described: Callable[[str], str] = in_words,
    ) -> None:
        """Embed the labels.

        Args:
            labels: Their names; a number says nothing, and then neither do scores.
            embedder: Scores are cosines of its vectors.
            described: Words that stand for a label: `tasks.sentiment.described`.
        """
        self._labels_L_D = embedder.encode([described(name) for name in labels])

    def scores(self, texts_N_D: Floats) -> Floats:
        """How like each label vectors of texts are, `(N, L)`."""
        return texts_N_D @ self._labels_L_D.T


class Neighbours:
    """Labelled cases that vote on new texts, nearer ones with a louder voice."""

    def __init__(
        self,
        train: Sequence[LabelCase],
        *,
        labels: Sequence[str],
        embedder: Embedder,
        voting: Voting | None = None,
    ) -> None:
        """Embed the cases, and choose how they vote.

        Args:
            train: At least two cases, each with one of `labels`.
            labels: Order of the columns of the scores, which are shares of the votes.
            embedder: Likeness is the cosine of its vectors.
            voting: None chooses what labels the training cases best when each is left
                out in turn.
        """
        place = {name: i for i, name in enumerate(labels)}
        self.labels = tuple(labels)
        self._embedder = embedder
        self._labels_T = np.array([place[case.label] for case in train], dtype=np.int64)
        self._train_T_D = embedder.encode([case.text for case in train])
        if voting is None:
            voting = _best_voting(self._train_T_D, self._labels_T, len(labels))
        self.voting = voting

    def shares(self, texts_N_D: Floats) -> Floats:
        """Shares of the votes for each label, `(N, L)`, of vectors of texts."""
        return votes(
            texts_N_D,
            self._train_T_D,
            self._labels_T,
            len(self.labels),
            votings=(self.voting,),
        )[0]

    def left_out_shares(self) -> Floats:
        """The same for the training cases themselves, each without its own voice."""
        return votes(
            self._train_T_D,
            self._train_T_D,
            self._labels_T,
            len(self.labels),
            votings=(self.voting,),
            left_out_N=np.arange(len(self._train_T_D)),
        )[0]

    def nearest(self, text_D: Floats, *, count: int) -> list[tuple[int, float]]:
        """Places of the most similar training cases with their cosine, best first."""
        likeness_T = self._train_T_D @ text_D
        order = np.argsort(-likeness_T, kind="stable")[:count]
        return [(int(place), float(likeness_T[place])) for place in order]


def _best_voting(train_T_D: Floats, labels_T: Ints, count: int) -> Voting:
    """What is right most often; of equals the fewest neighbours."""
    spread = np.linspace(0, len(train_T_D) - 1, min(_TRIED, len(train_T_D)))
    rows_N = np.unique(spread.astype(np.int64))
    ks = [k for k in NEIGHBOURS if k < len(train_T_D)]
    votings = [Voting(k, sharpness) for k in ks for sharpness in SHARPNESS]
    tried = votes(
        train_T_D[rows_N],
        train_T_D,
        labels_T,
        count,
        votings=votings,
        left_out_N=rows_N,
    )
    right = [
        int((scores_N_L.argmax(axis=1) == labels_T[rows_N]).sum())
        for scores_N_L in tried
    ]
    return votings[right.index(max(right))]


def votes(
    texts_N_D: Floats,
    train_T_D: Floats,
    labels_T: Ints,
    count: int,
    *,
    votings: Sequence[Voting],
    left_out_N: Ints | None = None,
) -> list[Floats]:
    """Shares of the votes for each label, `(N, L)`, for each way of voting."""
    found = [np.zeros((len(texts_N_D), count), np.float32) for _ in votings]
    most = min(max(voting.k for voting in votings), len(train_T_D))
    for start in range(0, len(texts_N_D), _BLOCK):
        likeness_N_T = texts_N_D[start : start + _BLOCK] @ train_T_D.T
        rows_N = np.arange(len(likeness_N_T))[:, np.newaxis]
        if left_out_N is not None:
            own_N = left_out_N[start : start + _BLOCK, np.newaxis]
            likeness_N_T[rows_N, own_N] = -np.inf
        nearest_N_K = np.argpartition(-likeness_N_T, most - 1, axis=1)[:, :most]
        likeness_N_K = likeness_N_T[rows_N, nearest_N_K]
        # Nearest first; of equals the one that stands first in the training cases.
        order_N_K = np.lexsort((nearest_N_K, -likeness_N_K), axis=1)
        labels_N_K = labels_T[nearest_N_K[rows_N, order_N_K]]
        likeness_N_K = likeness_N_K[rows_N, order_N_K]
        behind_N_K = likeness_N_K - likeness_N_K[:, :1]
        for scores_N_L, (k, sharpness) in zip(found, votings, strict=True):
            block_N_L = scores_N_L[start : start + _BLOCK]
            voices_N_K = np.exp(sharpness * behind_N_K[:, :k])
            np.add.at(block_N_L, (rows_N, labels_N_K[:, :k]), voices_N_K)
            block_N_L /= block_N_L.sum(axis=1, keepdims=True)
    return found
