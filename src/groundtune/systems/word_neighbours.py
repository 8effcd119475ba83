"""Tags of words without training: from words like them, and from the names of types.

For `ner` these are the arms without tuned weights. `WordNeighbours` compares each word,
as the encoder sees it in its sentence, with the words of labelled sentences (rag; after
Wang et al., 2022, who mix such votes with a tuned model). `NamedTypes` compares what is
written like a name with the words for each type (plain).
Axis suffixes: W words of a sentence, T training words, L tags, D dimensions.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.retrieve.bert_graph import BertShape, Layers, read_weights
from groundtune.store.models import open_model
from groundtune.systems.neighbours import votes
from groundtune.systems.sequences import SequenceRunner
from groundtune.tasks.classification import described
from groundtune.tasks.ner import OUTSIDE
from groundtune.tune.encoder.dataset import TextCutter, word_items
from groundtune.tune.encoder.evaluate import case_logits

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import openvino as ov

    from groundtune.core.protocols import Embedder
    from groundtune.core.values import EntityCase
    from groundtune.store.models import ModelFolder
    from groundtune.systems.neighbours import Voting

    Floats = npt.NDArray[np.float32]

_MAX_TOKENS = 256
_LEAST_NORM = 1e-9


class WordStates:
    """What an encoder makes of each word in its sentence, as unit vectors."""

    def __init__(self, spec: str) -> None:
        """Open an encoder; nothing is fetched from the network.

        Raises:
            ModelLoadError: It cannot be opened, or is no BERT.
        """
        folder = open_model(spec, kind="embedder", offline=True)
        self._runner = SequenceRunner(_states_graph(folder), is_words=True)
        self._cutter = TextCutter(folder.path, max_tokens=_MAX_TOKENS)

    def of(self, sentences: Sequence[Sequence[str]]) -> list[Floats]:
        """States of the words of each sentence, `(W, D)` each."""
        nothing = [[0] * len(words) for words in sentences]
        items = word_items(sentences, nothing, cutter=self._cutter)
        found = case_logits(items, self._runner.run(items), cases=len(sentences))
        return [_unit(states_W_D) for states_W_D in found]


class WordNeighbours:
    """Labelled words that vote on new ones."""

    def __init__(
        self,
        train: Sequence[EntityCase],
        *,
        labels: Sequence[str],
        states: WordStates,
        voting: Voting,
    ) -> None:
        place = {tag: number for number, tag in enumerate(labels)}
        self._states = states
        self._count = len(labels)
        self._train_T_D = np.concatenate(states.of([case.tokens for case in train]))
        self._tags_T = np.array(
            [place[tag] for case in train for tag in case.tags], dtype=np.int64
        )
        self.voting = voting

    def shares(self, asked: Sequence[Sequence[str]]) -> list[Floats]:
        """Shares of the votes for each tag of each word, `(W, L)` a sentence."""
        return [
            self._votes(states_W_D, (self.voting,))[0]
            for states_W_D in self._states.of(asked)
        ]

    def tried(
        self, sentences: Sequence[Sequence[str]], votings: Sequence[Voting]
    ) -> list[list[Floats]]:
        """The same for several ways of voting; what is dear is done once."""
        each = [self._votes(s_W_D, votings) for s_W_D in self._states.of(sentences)]
        return [[found[number] for found in each] for number in range(len(votings))]

    def _votes(self, states_W_D: Floats, votings: Sequence[Voting]) -> list[Floats]:
        return votes(
            states_W_D, self._train_T_D, self._tags_T, self._count, votings=votings
        )


class NamedTypes:
    """Runs of capitalised words, each of the type whose name is most like it."""

    def __init__(
        self, labels: Sequence[str], *, embedder: Embedder, threshold: float
    ) -> None:
        """Embed the types.

        Args:
            labels: `O`, and `B-` and `I-` of each type.
            embedder: Likeness is the cosine of its vectors.
            threshold: A run that is less like every type is none of them.
        """
        self._labels = tuple(labels)
        types = {tag.partition("-")[2] for tag in labels if tag != OUTSIDE}
        self._types = sorted(types)
        self._embedder = embedder
        self._types_D = embedder.encode([described(name) for name in self._types])
        self.threshold = threshold

    def shares(self, asked: Sequence[Sequence[str]]) -> list[Floats]:
        """One tag a word with all the votes, `(W, L)` a sentence."""
        runs = [capitalised(words) for words in asked]
        texts = [
            " ".join(words[start:end])
            for words, found in zip(asked, runs, strict=True)
            for start, end in found
        ]
        likeness = iter(self._embedder.encode(texts) @ self._types_D.T)
        place = {tag: number for number, tag in enumerate(self._labels)}
        shares: list[Floats] = []
        for words, found in zip(asked, runs, strict=True):
            tags_W = np.full(len(words), place[OUTSIDE])
            for start, end in found:
                scores = next(likeness)
                best = int(scores.argmax())
                if scores[best] >= self.threshold:
                    tags_W[start] = place[f"B-{self._types[best]}"]
                    tags_W[start + 1 : end] = place[f"I-{self._types[best]}"]
            shares.append(np.eye(len(self._labels), dtype=np.float32)[tags_W])
        return shares


def capitalised(words: Sequence[str]) -> list[tuple[int, int]]:
    """Runs of words that begin with a capital letter, as `[start, end)`.

    Examples:
        >>> capitalised(["Ada", "Lovelace", "met", "Bath"])
        [(0, 2), (3, 4)]
    """
    found: list[tuple[int, int]] = []
    for is_name, run in groupby(enumerate(words), lambda each: each[1][:1].isupper()):
        places = [place for place, _ in run]
        if is_name:
            found.append((places[0], places[-1] + 1))
    return found


def _unit(states_W_D: Floats) -> Floats:
    norms_W_1 = np.linalg.norm(states_W_D, axis=1, keepdims=True)
    return states_W_D / np.maximum(norms_W_1, _LEAST_NORM)


def _states_graph(folder: ModelFolder) -> ov.Model:
    """The encoder alone: ids `(1, tokens)` to a state a token."""
    import openvino as ov

    where = str(folder.path)
    shape = BertShape.from_config(folder.config, where=where)
    make = Layers(read_weights(folder.weights), shape, where, is_int8=False)
    ops = make.ops
    ids = ops.parameter([1, -1], np.int64, name="input_ids")
    node = make.embeddings(ids)
    for number in range(shape.layers):
        node = make.layer(node, f"encoder.layer.{number}")
    states = ops.squeeze(node, ops.constant(np.array([0], np.int64)))
    model: Any = ov.Model  # its type stubs contradict each other
    return model([ops.result(states)], [ids], "states")
