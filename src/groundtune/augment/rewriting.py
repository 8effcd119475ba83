"""A follow-up question becomes a query that can be searched for by itself.

Rules, which need no model, and the prompt by which a model does it, with the check that
its wording is usable. Nothing here searches: whether a turn begins a new topic is
decided in `systems.dialogue`, where the documents can be asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from groundtune.core.values import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.augment.chat import ChatTemplate
    from groundtune.core.protocols import Tokenizer

REWRITE_VERSION = "rewrite-1"
"""Bump when the model's prompt changes: reports remember it."""
MAX_QUERY_TOKENS = 48
"""Bound of what a model may write; one that runs into it has not written a question."""

CARRIED_WORDS = 12
"""Words that the rules take over from the history at most."""
_FADING = 0.95
"""Weight of a turn against the one after it."""

_SHOWN_LETTERS = 240
"""Of an earlier turn, in the prompt of the model that answers."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_STEM_LETTERS = 6
"""Words that begin alike so far count as one: pays, paying; licence, licences."""
_ORDINARY_WORDS = """
    a about above after again all also am an and any are aren't as at be because been
    before being below between both but by came can can't come could couldn't did
    didn't do does doesn't doing don don't done down during each else every few for
    from further get gets getting give given go goes going gone good got great had
    has hasn't have haven't having he hello help her here hers hey hi him his how
    however i i'd i'll i'm i've if in into is isn't it it's its itself just know
    let let's like ll look made make makes making many may me might mine more most
    much must my myself need needs never no nor not now of off oh ok okay on once
    one ones only onto or other our ours out over own per perhaps please possible
    put quite rather re really said same say says see seem shall she should
    shouldn't since so some somebody someone something still such sure take takes
    tell than thank thanks that that's the their theirs them then there there's
    these they they're thing things think this those though through thus to too
    toward under until up upon us use ve very via want wanted wants was wasn't way
    we we'll we're we've well were weren't what what's when where whether which
    while who whom whose why will with within without won't would wouldn't yeah yes
    yet you you'd you'll you're you've your yours yourself
"""
_ORDINARY = frozenset(_ORDINARY_WORDS.split())
"""English words that say nothing of a topic, and courtesies. In other languages only
the words of the last turn itself are left out, so more is carried than helps."""

RewriteMode = Literal["none", "rules", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """What is searched for in place of a follow-up question."""

    text: str
    """The question where nothing was added."""
    carried: tuple[str, ...] = ()
    """Words that the rules took over from the history, the weightiest first."""
    by: RewriteMode = "none"
    new_topic: bool = False
    """Whether the history was dropped, because the turn begins something else."""
    refused: str = ""
    """Why the model's wording was not used, where the rules stood in for it."""


def content_words(text: str) -> list[str]:
    """Words that say what a text is about, in order, each form once.

    Examples:
        >>> content_words("And how much does the licence cost me? The LICENCE!")
        ['licence', 'cost']
    """
    return list(_by_stem(text).values())


def shared_part(question: str, history: Sequence[Message]) -> float:
    """Share of the question's content words that were said before; 1 without any.

    Examples:
        >>> shared_part("What of the fees?", [Message("user", "Is there a fee?")])
        1.0
        >>> shared_part("Can I bake bread?", [Message("user", "Is there a fee?")])
        0.0
    """
    asked = _by_stem(question).keys()
    said = {stem for turn in history for stem in _by_stem(turn.content)}
    return len(asked & said) / len(asked) if asked else 1.0


def carried_words(
    question: str, history: Sequence[Message], *, limit: int = CARRIED_WORDS
) -> tuple[str, ...]:
    """The words of the history that say best what the question leaves out.

    A word weighs more the more turns hold it and the later they are; those that the
    question itself holds are left out. Ties go to what was said last.

    Args:
        question: The last turn.
        history: The turns before, oldest first.
        limit: Most words.

    Returns:
        Words as they were last written, the weightiest first.
    """
    there = _by_stem(question).keys()
    weights: dict[str, float] = defaultdict(float)
    written: dict[str, str] = {}
    weight = 1.0
    for turn in reversed(history):
        for stem, word in _by_stem(turn.content).items():
            if stem not in there:
                weights[stem] += weight
                written.setdefault(stem, word)
        weight *= _FADING
    # A stable sort: of equal weights, the one met first was said last.
    best = sorted(weights, key=lambda stem: -weights[stem])[:limit]
    return tuple(written[stem] for stem in best)


def by_rules(
    question: str, history: Sequence[Message], *, limit: int = CARRIED_WORDS
) -> Standalone:
    """The question with the words of the history that it leaves out.

    Examples:
        >>> said = [Message("user", "I lost my licence plates.")]
        >>> by_rules("What does it cost?", said).text
        'What does it cost? (lost, licence, plates)'
    """
    carried = carried_words(question, history, limit=limit)
    if not carried:
        return Standalone(text=question, by="rules" if history else "none")
    return Standalone(
        text=f"{question} ({', '.join(carried)})", carried=carried, by="rules"
    )


def in_context(question: str, history: Sequence[Message]) -> str:
    """The question as an answering model reads it: with what the user asked before.

    Not with what was answered: a small model says that once more.

    Examples:
        >>> said = [Message("user", "Lost my plates."), Message("assistant", "Sorry.")]
        >>> in_context("What now?", said)
        'What now? (Asked before: "Lost my plates.")'
    """
    asked = [turn.content for turn in history if turn.role == "user"]
    if not asked:
        return question
    return f'{question} (Asked before: "{_brief(asked[-1])}")'


def _brief(text: str) -> str:
    line = _one_line(text)
    return line if len(line) <= _SHOWN_LETTERS else line[: _SHOWN_LETTERS - 1] + "…"


def within_budget(
    history: Sequence[Message], tokenizer: Tokenizer, *, budget: int
) -> tuple[Message, ...]:
    """The latest turns that have room together, oldest first.

    Turns are kept whole, but for the very last: if it is too long by itself, its
    beginning is kept.

    Args:
        history: The turns before the question, oldest first.
        tokenizer: By which tokens are counted.
        budget: Tokens of all that is kept; 0 keeps nothing.
    """
    kept: list[Message] = []
    left = budget
    for turn in reversed(history):
        spans = tokenizer.offsets(turn.content)
        if len(spans) > left:
            if not kept and left > 0:
                kept.append(Message(turn.role, turn.content[: spans[left - 1].end]))
            break
        kept.append(turn)
        left -= len(spans)
    return tuple(reversed(kept))


_INSTRUCTION = (
    "Rewrite the last question so that it can be understood without the conversation. "
    "Name what it is about. Do not answer it. Reply with the question only."
)
_SHOTS = (
    (
        (
            Message("user", "Who looks after the lighthouse?"),
            Message("assistant", "Ada Brandt has been its keeper for nine years."),
        ),
        "And before her?",
        "Who looked after the lighthouse before Ada Brandt?",
    ),
    (
        (
            Message("user", "I want to grow tomatoes on my balcony."),
            Message(
                "assistant", "Use pots of ten litres and water them in the morning."
            ),
        ),
        "How often?",
        "How often should tomatoes in pots on a balcony be watered?",
    ),
)


class RewritePromptBuilder:
    """Builds the prompt by which one model makes a question stand alone."""

    def __init__(self, template: ChatTemplate, tokenizer: Tokenizer) -> None:
        self._template = template
        self._tokenizer = tokenizer

    def build(self, question: str, history: Sequence[Message]) -> tuple[int, ...]:
        """Tokens of the prompt.

        Raises:
            ModelLoadError: The model's chat template fails on it.
        """
        turns = [Message("system", _INSTRUCTION)]
        for said, asked, answer in _SHOTS:
            turns.append(Message("user", _conversation(asked, said)))
            turns.append(Message("assistant", answer))
        turns.append(Message("user", _conversation(question, history)))
        return tuple(self._tokenizer.encode(self._template.render(turns)))


def _conversation(question: str, history: Sequence[Message]) -> str:
    lines = [f"{turn.role.capitalize()}: {_one_line(turn.content)}" for turn in history]
    return "\n".join([*lines, f"Last question: {_one_line(question)}"])


def by_model(
    written: str, question: str, history: Sequence[Message], *, is_cut: bool
) -> Standalone:
    """The model's wording where it is usable, else that of the rules, saying why.

    Usable is one line that keeps half of what was asked, says hardly anything that the
    conversation did not, and is not an earlier turn once more.

    Args:
        written: What the model wrote.
        question: The last turn.
        history: The turns that the model saw, oldest first.
        is_cut: Whether it ran into the bound of tokens.
    """
    lines = [line for line in written.strip().splitlines() if line.strip()]
    text = (
        _LABEL.sub("", lines[0]).strip().strip("\"'\u201c\u201d").strip()
        if lines
        else ""
    )
    reason = "it did not end" if is_cut else _fault(text, question, history)
    if reason:
        rules = by_rules(question, history)
        return Standalone(
            text=rules.text, carried=rules.carried, by=rules.by, refused=reason
        )
    return Standalone(text=text, by="model")


_LABEL = re.compile(
    r"^\s*(?:(?:rewritten|last|standalone)?\s*question|user)\s*:\s*", re.I
)
_KEPT = 0.5
_INVENTED = 1 / 3


def _fault(text: str, question: str, history: Sequence[Message]) -> str:
    found, asked = set(_by_stem(text)), set(_by_stem(question))
    earlier = [set(_by_stem(turn.content)) for turn in history]
    if not found:
        return "it says nothing"
    if asked and len(asked & found) < _KEPT * len(asked):
        return "it leaves out what was asked"
    said = asked.union(*earlier)
    if len(found - said) > _INVENTED * len(found):
        return "it says what nobody said"
    if found in earlier and found != asked:
        return "it repeats an earlier turn"
    return ""


def _by_stem(text: str) -> dict[str, str]:
    """Content words by what they are compared by; the first form is kept."""
    found: dict[str, str] = {}
    for match in _WORD.finditer(text.casefold().replace("\u2019", "'")):
        word = match[0].removesuffix("'s")
        if word in _ORDINARY or (len(word) == 1 and not word.isdigit()):
            continue
        singular = word.removesuffix("s") if len(word) > 3 else word
        found.setdefault(singular[:_STEM_LETTERS], word)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
