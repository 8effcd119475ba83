"""Passages for a turn of a conversation: standing alone, new topics, two searches.

A follow-up question is searched for twice, as it was said and as a query that stands
alone, and the two lists are joined. A turn that begins something new is searched for
once, like a first turn. The words are chosen in `augment.rewriting`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from groundtune.augment.rewriting import (
    MAX_QUERY_TOKENS,
    Standalone,
    by_model,
    by_rules,
    carried_words,
    content_words,
    in_context,
    shared_part,
    within_budget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.augment.rewriting import RewritePromptBuilder
    from groundtune.core.protocols import Engine, Retriever, Tokenizer
    from groundtune.core.values import Hit, Message

    Rewrite = Callable[[str, Sequence[Message]], Standalone]

HISTORY_TOKENS = 512
"""Of the conversation that a turn is read in, unless something else is asked for."""
WEIGHT = 0.7
"""Of the query that stands alone; the last turn as it was said has the rest."""
DOUBTFUL_WEIGHT = 0.6
"""The same where the topic may be a new one, but not surely."""
_DEPTH = 100
"""Passages of each of the two lists."""

Topic = Literal["same", "doubtful", "new"]


class _Signs(NamedTuple):
    """What speaks for a new topic: all three of them, or the topic goes on."""

    words: int
    """Content words of the turn, at least."""
    shared: float
    """Share of them that were said before, at most."""
    agreement: float
    """Of the documents that the turn finds with those that the history finds, less
    than that; 1 where both find the same one best."""


_NEW = _Signs(words=3, shared=0.34, agreement=0.4)
_DOUBTFUL = _Signs(words=2, shared=0.5, agreement=0.5)


class Turn(NamedTuple):
    """The last turn of a conversation, and what of the conversation counts for it."""

    question: str
    history: tuple[Message, ...]
    """Within the budget, oldest first; empty where the turn begins a topic."""
    standalone: Standalone
    topic: Topic = "same"

    @property
    def shown(self) -> str:
        """The turn as the answering model reads it.

        A model's query is a question in its own right; the words that the rules carry
        over are not, so that it reads what was said instead.
        """
        if self.standalone.by == "model":
            return self.standalone.text
        return in_context(self.question, self.history)


class ModelRewriter:
    """Lets a generator put the question; the rules stand in where it fails."""

    def __init__(self, engine: Engine, builder: RewritePromptBuilder) -> None:
        self._engine = engine
        self._builder = builder

    def __call__(self, question: str, history: Sequence[Message]) -> Standalone:
        """A query that stands alone.

        Raises:
            GenerationError: The engine failed.
        """
        room = self._engine.context_length - MAX_QUERY_TOKENS
        seen = list(history)
        prompt = self._builder.build(question, seen)
        while len(prompt) > room and seen:
            seen.pop(0)
            prompt = self._builder.build(question, seen)
        if not seen or len(prompt) > room:
            return by_rules(question, history)
        made = self._engine.generate(prompt, max_tokens=MAX_QUERY_TOKENS)
        is_cut = made.usage.output_tokens >= MAX_QUERY_TOKENS
        return by_model(made.text, question, history, is_cut=is_cut)


def as_asked(question: str, _history: Sequence[Message]) -> Standalone:
    """The rewriting that adds nothing."""
    return Standalone(text=question)


class TurnFinder:
    """Finds passages for the last turn of a conversation."""

    def __init__(
        self,
        retriever: Retriever,
        tokenizer: Tokenizer,
        *,
        rewrite: Rewrite = by_rules,
        history_tokens: int = HISTORY_TOKENS,
        weight: float = WEIGHT,
        reads_topics: bool = True,
    ) -> None:
        """Compose the parts.

        Args:
            retriever: Searched up to three times a turn.
            tokenizer: By which the history is measured.
            rewrite: Makes the query that stands alone.
            history_tokens: Budget of the history.
            weight: Of that query, from 0 (the last turn alone) to 1.
            reads_topics: Whether a turn that begins a topic is read by itself.
        """
        self._retriever = retriever
        self._tokenizer = tokenizer
        self._rewrite = rewrite
        self._history_tokens = history_tokens
        self._weight = weight
        self._reads_topics = reads_topics

    def read(self, messages: Sequence[Message]) -> Turn:
        """Say what the last turn asks, and whether it goes on with the conversation.

        Args:
            messages: Turns of `user` and `assistant`, oldest first, the last one the
                user's.

        Raises:
            GenerationError: The rewriting model failed.
        """
        question = messages[-1].content
        said = [turn for turn in messages[:-1] if turn.role != "system"]
        history = within_budget(said, self._tokenizer, budget=self._history_tokens)
        if not history or self._rewrite is as_asked:
            return Turn(question, history, Standalone(text=question))
        topic = self.topic(question, history) if self._reads_topics else "same"
        if topic == "new":
            return Turn(question, (), Standalone(text=question, new_topic=True), topic)
        return Turn(question, history, self._rewrite(question, history), topic)

    def find(self, turn: Turn, *, k: int) -> list[Hit]:
        """The passages for a turn, best first.

        Where the query is the question, this is the search for the question.
        """
        if turn.standalone.text == turn.question:
            return self._retriever.search(turn.question, k=k)
        depth = max(k, _DEPTH)
        asked = self._retriever.search(turn.question, k=depth)
        alone = self._retriever.search(turn.standalone.text, k=depth)
        doubtful = turn.topic == "doubtful"
        weight = min(self._weight, DOUBTFUL_WEIGHT) if doubtful else self._weight
        return join_hits(asked, alone, weight=weight)[:k]

    def topic(self, question: str, history: Sequence[Message]) -> Topic:
        """Whether a turn goes on with what the history is about.

        It begins something new where it has content words, few of them were said
        before, and the documents that it finds are not those that the history finds.
        """
        words, shared = len(content_words(question)), shared_part(question, history)
        before = carried_words("", history)
        if not before or words < _DOUBTFUL.words or shared > _DOUBTFUL.shared:
            return "same"
        asked = self._retriever.search(question, k=_DEPTH)
        agreement = _agreement(
            asked, self._retriever.search(" ".join(before), k=_DEPTH)
        )
        if not asked or agreement >= _DOUBTFUL.agreement:
            return "same"
        is_new = (
            words >= _NEW.words and shared <= _NEW.shared and agreement < _NEW.agreement
        )
        return "new" if is_new else "doubtful"


def _agreement(asked: Sequence[Hit], before: Sequence[Hit]) -> float:
    """The best product of what a document reaches in two lists, each scaled to 1."""
    reached = _of_documents(asked)
    return max(
        (
            score * reached.get(name, 0.0)
            for name, score in _of_documents(before).items()
        ),
        default=0.0,
    )


def _of_documents(hits: Sequence[Hit]) -> dict[str, float]:
    """The scaled score of each document's best passage."""
    best: dict[str, float] = {}
    for hit, score in scaled(hits):
        name = hit.passage.document
        best[name] = max(score, best.get(name, 0.0))
    return best


def join_hits(
    asked: Sequence[Hit], alone: Sequence[Hit], *, weight: float
) -> list[Hit]:
    """Join two lists by a weighted mean of scores, each list scaled to [0, 1].

    Args:
        asked: Hits of the question as it was said, best first.
        alone: Hits of the query that stands alone, best first.
        weight: Of `alone`; a passage that a list does not hold has 0 there.

    Returns:
        Each passage once, best first, ties broken by passage id.
    """
    scores: dict[str, float] = {}
    hits: dict[str, Hit] = {}
    for share, found in ((weight, alone), (1 - weight, asked)):
        for hit, score in scaled(found):
            name = hit.passage.id
            hits.setdefault(name, hit)
            scores[name] = scores.get(name, 0.0) + share * score
    order = sorted(scores, key=lambda name: (-scores[name], name))
    return [replace(hits[name], score=scores[name]) for name in order]


def scaled(hits: Sequence[Hit]) -> list[tuple[Hit, float]]:
    """Hits with their scores scaled so that the best has 1 and the least 0.

    Whatever the retriever ranks by, its scores can be joined then. Hits that all score
    alike have 1.
    """
    if not hits:
        return []
    low, high = min(h.score for h in hits), max(h.score for h in hits)
    spread = high - low
    return [(h, (h.score - low) / spread if spread > 0 else 1.0) for h in hits]
