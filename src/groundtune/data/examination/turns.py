"""Conversations: who speaks when, and what the answers are like."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.values import SupportCase
from groundtune.data.doctor import normalise
from groundtune.data.examination.diagnosis import (
    Diagnosis,
    Spot,
    by_share,
    shown,
    turn_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundtune.data.examination.diagnosis import Severity
    from groundtune.data.labelled import LabelledData

_SPEAKER = re.compile(
    r"(?:assistant|user|human|system|chatbot|agent|customer|### \w+)\s*:",
    re.IGNORECASE,
)
_CUT = re.compile(r"[\w,;(-]$")
_LONG_ANSWER = 40
"""Characters: a shorter answer may well be without a full stop."""
_ENDED = 0.9
_REPEATED = 0.1


class _Rule(NamedTuple):
    kind: str
    severity: Severity | None
    message: str
    fix: str


_RULES = {
    rule.kind: rule
    for rule in (
        _Rule(
            "roles_not_alternating",
            "error",
            "turns follow one of the same speaker",
            "join them: most chat templates refuse such a conversation",
        ),
        _Rule(
            "system_not_first",
            "error",
            "system turns do not stand first",
            "put one system turn at the beginning, or none",
        ),
        _Rule(
            "begins_with_assistant",
            "warning",
            "conversations begin with the assistant",
            "begin with what the user says",
        ),
        _Rule(
            "speaker_in_text",
            "warning",
            "turns begin with the name of a speaker",
            "remove it: the template says who speaks",
        ),
        _Rule(
            "answer_is_question",
            "warning",
            "answers repeat what the user said",
            "write the answer",
        ),
        _Rule(
            "cut_answers",
            None,
            "answers end in the middle of a sentence, where the others do not",
            "check whether they were cut",
        ),
        _Rule(
            "one_answer_for_many",
            "warning",
            "requests have the same answer",
            "check the export: a model learns to say this to everything",
        ),
        _Rule(
            "missing_intents",
            "warning",
            "conversations have no intent, where others have one",
            "name it, or remove the column",
        ),
    )
}


def check_turns(data: LabelledData) -> Iterator[Diagnosis]:
    """Look at the conversations of a file."""
    cases = [
        (case, where)
        for case, where in zip(data.cases, data.places, strict=True)
        if isinstance(case, SupportCase)
    ]
    found: dict[str, list[Spot]] = {kind: [] for kind in _RULES}
    for case, where in cases:
        columns = turn_columns(data, len(case.messages))
        _order(case, where, columns, found)
        _content(case, where, columns, found)
    found["cut_answers"] = _cut(cases, data)
    found["one_answer_for_many"] = _repeated(cases, data)
    lacking = [where for case, where in cases if not case.intent]
    if "intent" in data.roles and len(lacking) < len(cases):
        found["missing_intents"] = [Spot(w, data.roles["intent"]) for w in lacking]
    for kind, spots in found.items():
        rule = _RULES[kind]
        if spots:
            yield Diagnosis(
                kind=kind,
                severity=rule.severity or by_share(len(spots), len(cases)),
                message=f"{len(spots)} {rule.message}",
                fix=rule.fix,
                spots=tuple(spots),
            )


def _order(
    case: SupportCase, where: str, columns: Sequence[str], found: dict[str, list[Spot]]
) -> None:
    roles = [turn.role for turn in case.messages]
    for number, role in enumerate(roles):
        if role == "system" and number:
            found["system_not_first"].append(Spot(where, columns[number], role))
    spoken = [number for number, role in enumerate(roles) if role != "system"]
    for number, after in pairwise(spoken):
        if roles[number] == roles[after]:
            spot = Spot(where, columns[after], f"{roles[after]} twice")
            found["roles_not_alternating"].append(spot)
    if roles[spoken[0]] == "assistant":
        spot = Spot(where, columns[spoken[0]])
        found["begins_with_assistant"].append(spot)


def _content(
    case: SupportCase, where: str, columns: Sequence[str], found: dict[str, list[Spot]]
) -> None:
    for column, turn in zip(columns, case.messages, strict=True):
        if _SPEAKER.match(turn.content):
            spot = Spot(where, column, shown(turn.content[:60]))
            found["speaker_in_text"].append(spot)
    asked = [turn.content for turn in case.messages[:-1] if turn.role == "user"]
    answer = case.messages[-1].content
    if asked and len(answer) > 20 and normalise(asked[-1]) == normalise(answer):
        found["answer_is_question"].append(Spot(where, columns[-1], shown(answer)))


def _cut(cases: Sequence[tuple[SupportCase, str]], data: LabelledData) -> list[Spot]:
    """Answers without an end, where nearly all long ones have one."""
    long = [
        (case, where)
        for case, where in cases
        if len(case.messages[-1].content) >= _LONG_ANSWER
    ]
    cut = [
        (case, where) for case, where in long if _CUT.search(case.messages[-1].content)
    ]
    if len(cut) > (1 - _ENDED) * len(long):
        return []
    return [
        Spot(
            where,
            turn_columns(data, len(case.messages))[-1],
            f"...{shown(case.messages[-1].content[-60:])}",
        )
        for case, where in cut
    ]


def _repeated(
    cases: Sequence[tuple[SupportCase, str]], data: LabelledData
) -> list[Spot]:
    answers = Counter(case.messages[-1].content for case, _ in cases)
    answer, times = answers.most_common(1)[0]
    if times < max(5, _REPEATED * len(cases)):
        return []
    return [
        Spot(where, turn_columns(data, len(case.messages))[-1], shown(answer))
        for case, where in cases
        if case.messages[-1].content == answer
    ]
