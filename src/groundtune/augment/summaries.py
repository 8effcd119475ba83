"""Prompts of summarization, and how much text goes into each of them.

A text that is longer than the model's context is summed up in parts (map), and the
parts' summaries are summed up again (reduce). Prompts are built by `texts`, as those of
every task that writes; here stand the words, and which passages go together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.errors import ConfigError
from groundtune.core.values import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.core.values import Hit

SUMMARIZE = "Summarize the text in a few sentences. Reply with the summary only."
"""Instruction of `summarization` for a document: models are tuned with it."""
TELL_OF_TOPIC = "Say in a few sentences what there is to know about the topic."
"""The same for a query, where no text is shown."""


class PlainPrompt(NamedTuple):
    """One way to ask a model as published; the best on dev cases is the one asked."""

    name: str
    instruction: str
    shots: tuple[Message, ...] = ()
    """Solved examples that go before what is asked: a text, its summary, and so on."""


def plain_prompts(
    instruction: str, *, words: int, shots: Sequence[tuple[str, str]] = ()
) -> list[PlainPrompt]:
    """Ways to ask for a summary, from the bare instruction to one with examples.

    Args:
        instruction: What a tuned model is told.
        words: About how long a summary is.
        shots: Texts with their summaries.
    """
    told = f"{instruction} Use about {words} words."
    shown = tuple(
        message
        for text, summary in shots
        for message in (Message("user", text), Message("assistant", summary))
    )
    found = [PlainPrompt("instruction", instruction), PlainPrompt("length", told)]
    return [*found, PlainPrompt("examples", told, shown)] if shown else found


def map_instruction(*, words: int, topic: str = "") -> str:
    """What a model as published is told to do with a part of the evidence.

    Examples:
        >>> map_instruction(words=40, topic="goats")
        'Say in about 40 words what the text says about goats. Use only the text.'
    """
    if topic:
        what = f"Say in about {words} words what the text says about {topic}."
    else:
        what = f"Summarize the text in about {words} words."
    return f"{what} Use only the text."


def evidence_text(hits: Iterable[Hit]) -> str:
    """Passages as a model reads them, each behind the headings that it stands under.

    Heading and text are one turn of the user: whatever they say, they say as data.
    """
    parts: list[str] = []
    heading = ""
    for hit in hits:
        passage = hit.passage
        if passage.heading and passage.heading != heading:
            heading = passage.heading
            parts.append(f"{heading}\n{passage.text}")
        else:
            parts.append(passage.text)
    return "\n\n".join(parts)


def groups_within(sizes: Sequence[int], *, budget: int) -> list[range]:
    """Neighbours that are read together: as few groups as a budget allows, even ones.

    The last group of a greedy division is often a scrap, and a scrap's summary counts
    as much as any other; so the room in each group is what an even division needs.

    Args:
        sizes: Tokens of each passage, in order.
        budget: Tokens that a group may have.

    Raises:
        ConfigError: One passage alone exceeds it.

    Examples:
        >>> groups_within([4, 4, 4, 4], budget=12)
        [range(0, 2), range(2, 4)]
    """
    if sizes and max(sizes) > budget:
        raise ConfigError(
            f"a passage has {max(sizes)} tokens, and the model has room for {budget}",
            fix="use a model with a longer context, or ask for fewer words",
            where="summarize",
        )
    fewest = len(_filled(sizes, budget))
    room = budget
    # The smallest room that needs no more groups: by halving, as groups only grow.
    low, high = max([*sizes, 1]), budget
    while sizes and low <= high:
        middle = (low + high) // 2
        if len(_filled(sizes, middle)) <= fewest:
            room, high = middle, middle - 1
        else:
            low = middle + 1
    return _filled(sizes, room)


def _filled(sizes: Sequence[int], room: int) -> list[range]:
    groups: list[range] = []
    start = used = 0
    for place, size in enumerate(sizes):
        if used and used + size > room:
            groups.append(range(start, place))
            start, used = place, 0
        used += size
    return [*groups, range(start, len(sizes))] if sizes else []
