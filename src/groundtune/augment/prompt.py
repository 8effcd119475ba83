"""Evidence and a question become a prompt: the one function for all of its uses.

Training, measuring and serving build their prompts here, so an adapter is never asked
in another form than it learned. A prompt is two runs of tokens, cut where the question
begins: the head depends on the evidence alone, the tail on the question alone. Training
relies on that to read one set of passages once for all the questions about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundtune.augment.untrusted import as_data, as_passage
from groundtune.core.errors import ConfigError
from groundtune.core.values import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.augment.chat import ChatTemplate
    from groundtune.core.protocols import Tokenizer
    from groundtune.core.values import Hit

PROMPT_VERSION = "qa-1"
"""Bump when any prompt text changes: tuned models and runs remember it."""

_QUESTION_MARK = "\u2063question\u2063"
"""No white space: templates strip that from what is said."""
_MIN_PASSAGE_TOKENS = 24
"""A passage that would be cut shorter than this is left out instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One solved example that a prompt shows to a model as published."""

    question: str
    answer: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStyle:
    """How the model is told what to do; candidates are compared on dev cases."""

    name: str
    with_evidence: str
    """System turn when passages are given."""
    closed_book: str
    """System turn when the model answers alone."""
    shots: tuple[Shot, ...] = ()
    lead: str = ""
    """How the model's own turn begins: words put into its mouth, to be gone on from.
    A small chat model that is led in answers in a word; left alone, in an essay."""
    sentences: int = 0
    """How many sentences of what was found it reads, those nearest the question; 0:
    the passages themselves."""
    copies: bool = False
    """Whether it may write nothing but a run of words of what it reads, where the
    engine can be bound so."""


INSTRUCTION = PromptStyle(
    name="instruction",
    with_evidence=(
        "Answer the question with words taken from the passages. If the passages do "
        "not hold the answer, say: Not in the documents."
    ),
    closed_book="Answer the question in a few words.",
)
"""The plain instruction. Adapters are trained and served with it."""

BRIEF = PromptStyle(
    name="brief",
    with_evidence=(
        "You are given numbered passages and a question. Reply with the answer only: "
        "a name, a number or a short phrase copied from the passages."
    ),
    closed_book=(
        "You are given a question. Reply with the answer only: a name, a number or a "
        "short phrase."
    ),
)

SENTENCES = PromptStyle(
    name="sentences",
    with_evidence=(
        "Use only the passages to answer the question. Quote the exact words."
    ),
    closed_book="Answer the question in one or two sentences.",
)
"""For a person who reads the answer; measures of short answers use the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Token ids for an engine, and the passages that found room in them."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    hits: tuple[Hit, ...]
    """Passages in the prompt; the passage numbered `[n]` is `hits[n - 1]`."""
    dropped: int
    """Passages that were given but did not fit."""
    messages: tuple[Message, ...] = ()
    """The same as turns, for an endpoint with a template of its own. Without the
    style's lead: words in the model's mouth are not offered everywhere."""

    @property
    def tokens(self) -> tuple[int, ...]:
        """The whole prompt."""
        return self.head + self.tail


class PromptBuilder:
    """Builds prompts for one model: its template, its tokenizer, one style."""

    def __init__(
        self, template: ChatTemplate, tokenizer: Tokenizer, *, style: PromptStyle
    ) -> None:
        self.style = style
        self._template = template
        self._tokenizer = tokenizer

    def with_style(self, style: PromptStyle) -> PromptBuilder:
        """A builder for the same model in another style."""
        return PromptBuilder(self._template, self._tokenizer, style=style)

    def build(
        self, question: str, hits: Sequence[Hit] | None, *, budget: int
    ) -> Prompt:
        """Build the prompt for one question.

        Args:
            question: As the person asked it.
            hits: Evidence, best first; None for a closed-book question.
            budget: Tokens that the whole prompt may have. Passages are dropped from
                the end until it fits; a first passage that is too long by itself is
                cut at its end.

        Raises:
            ConfigError: Not even the question fits.
        """
        tail = self.tail(question, with_evidence=hits is not None)
        if hits is None:
            head = self.head(None)
            self._check(len(head) + len(tail), budget)
            turns = self._turns(None, as_data(question))
            return Prompt(head=head, tail=tail, hits=(), dropped=0, messages=turns)
        kept = list(hits)
        shown = [_render(hit) for hit in kept]
        while True:
            head = self.head(shown)
            if len(head) + len(tail) <= budget:
                break
            if len(kept) == 1 and (cut := self._cut(shown[0], len(tail), budget)):
                shown = [cut]
                head = self.head(shown)
                break
            if not kept:
                self._check(len(head) + len(tail), budget)
            kept.pop()
            shown.pop()
        return Prompt(
            head=head,
            tail=tail,
            hits=tuple(kept),
            dropped=len(hits) - len(kept),
            messages=self._turns(shown, as_data(question)),
        )

    def head(self, passages: Sequence[str] | None) -> tuple[int, ...]:
        """Tokens up to the question: instruction, shots and numbered passages."""
        text, _ = self._halves(passages)
        return tuple(self._tokenizer.encode(text))

    def evidence_head(self, hits: Sequence[Hit]) -> tuple[int, ...]:
        """Tokens up to the question, with `hits` as the numbered passages."""
        return self.head([_render(hit) for hit in hits])

    def tail(self, question: str, *, with_evidence: bool) -> tuple[int, ...]:
        """Tokens from the question to where the answer begins."""
        _, text = self._halves([] if with_evidence else None)
        asked = text.replace(_QUESTION_MARK, as_data(question)) + self.style.lead
        return tuple(self._tokenizer.encode(asked))

    def _halves(self, passages: Sequence[str] | None) -> tuple[str, str]:
        text = self._template.render(self._turns(passages, _QUESTION_MARK))
        at = text.rindex(_QUESTION_LEAD + _QUESTION_MARK)
        return text[:at], text[at:]

    def _turns(
        self, passages: Sequence[str] | None, question: str
    ) -> tuple[Message, ...]:
        style = self.style
        closed = passages is None
        system = style.closed_book if closed else style.with_evidence
        turns = [Message("system", system)]
        for shot in style.shots:
            shown = None if closed else shot.evidence
            turns.append(Message("user", _ask(shown, shot.question)))
            turns.append(Message("assistant", shot.answer))
        turns.append(Message("user", _ask(passages, question)))
        return tuple(turns)

    def _cut(self, rendered: str, tail: int, budget: int) -> str | None:
        """As much of a passage as there is room for; None where that is too little."""
        spans = self._tokenizer.offsets(rendered)
        spare = budget - tail - len(self.head([""]))
        if spare < _MIN_PASSAGE_TOKENS:
            return None
        # Tokens at the seam can merge differently, so leave two to spare.
        return rendered[: spans[min(spare - 2, len(spans)) - 1].end]

    def _check(self, needed: int, budget: int) -> None:
        if needed > budget:
            raise ConfigError(
                f"the question alone takes {needed} tokens, {budget} are allowed",
                fix="ask a shorter question, or use a model with a longer context",
                where="prompt",
            )


_QUESTION_LEAD = "Question: "


def _ask(passages: Sequence[str] | None, question: str) -> str:
    numbered = [
        f"[{n}] {as_passage(text)}" for n, text in enumerate(passages or (), start=1)
    ]
    return "\n\n".join([*numbered, _QUESTION_LEAD + question])


def _render(hit: Hit) -> str:
    """A passage as the model reads it: where it stands, then what it says."""
    passage = hit.passage
    if not passage.heading:
        return passage.text
    first, _, rest = passage.text.partition("\n")
    if first.strip("# ") == passage.heading.rsplit(" > ", 1)[-1] and rest.strip():
        return f"{passage.heading}\n{rest.strip()}"  # else it would stand there twice
    return f"{passage.heading}\n{passage.text}"
