"""The task `support`: the next reply to a customer, given the conversation so far.

What the task is made of: the names of its measures, what a model is shown and what it
learns to say. The case itself is `core.values.SupportCase`; computing the measures
belongs to `measure.texts` and, for the intent, to `measure.labels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.values import LabelCase

if TYPE_CHECKING:
    from groundtune.core.values import Message, SupportCase

NAME = "support"
PRIMARY_MEASURE = "chrf"
OTHER_MEASURES = ("bleu", "intent_accuracy")

_ASSISTANT = "assistant"
_CUSTOMER = "user"


def target(case: SupportCase) -> str:
    """What a tuned model learns to say to `case`: its last assistant turn."""
    return case.messages[_reply(case)].content


def history(case: SupportCase) -> tuple[Message, ...]:
    """The turns before the reply, in order: all that a model may see."""
    return case.messages[: _reply(case)]


def intent_case(case: SupportCase) -> LabelCase:
    """What the customer wants, as a case of `classification`.

    The text is the customer's last turn before the reply.

    Raises:
        ValueError: The case has no intent, or the customer says nothing before.
    """
    said = [turn.content for turn in history(case) if turn.role == _CUSTOMER]
    if not case.intent or not said:
        msg = f"case {case.id} has no {'turn of the user' if case.intent else 'intent'}"
        raise ValueError(msg)
    return LabelCase(id=case.id, text=said[-1], label=case.intent, group=case.group)


def _reply(case: SupportCase) -> int:
    places = [i for i, turn in enumerate(case.messages) if turn.role == _ASSISTANT]
    assert places, "a support case has an assistant turn: its reader checked it"
    return places[-1]
