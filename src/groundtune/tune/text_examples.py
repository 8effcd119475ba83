"""Step 2 of fine-tuning, for tasks that write: cases become examples.

All cases with the same instruction stand behind one head, many to a pack: it is read
once for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from groundtune.tune.dataset import Example, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundtune.augment.texts import TextPromptBuilder
    from groundtune.core.values import Message


class TextCase(NamedTuple):
    """What the tasks that write have in common."""

    id: str
    turns: tuple[Message, ...]
    """All that a model may see."""
    target: str
    """What it learns to say."""
    group: str = ""
    others: tuple[str, ...] = ()
    """Other wordings that are as right, where several people wrote one each."""

    @property
    def asked(self) -> str:
        """What was said last before the answer."""
        return self.turns[-1].content

    @property
    def accepted(self) -> tuple[str, ...]:
        """All that it may be measured against, the one that is learned first."""
        return (self.target, *self.others)


def text_examples(
    cases: Iterable[TextCase], *, builder: TextPromptBuilder, end_token: int
) -> list[Example]:
    """Examples with the prompts that the model will be served with.

    Every answer ends with the end token: the model must learn to stop.
    """
    by_head: dict[tuple[int, ...], list[Turn]] = defaultdict(list)
    for case in cases:
        prompt = builder.build(case.turns)
        target = (*builder.answer(case.target), end_token)
        by_head[prompt.head].append(Turn(prompt.tail, target))
    return [Example(head, tuple(turns)) for head, turns in by_head.items()]


def longest_answer(examples: Iterable[Example]) -> int:
    """Tokens of the longest target, its end token included."""
    return max(
        (len(turn.target) for example in examples for turn in example.turns), default=0
    )
