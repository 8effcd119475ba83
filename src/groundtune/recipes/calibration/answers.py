"""Answers to labelled cases, and what speaks for each; kept as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import Comparer
from groundtune.data.splits import group_of
from groundtune.generate.confidence import answer_signals
from groundtune.measure.answers import PRIMARY, score_answer
from groundtune.recipes.calibration.fit import Judged
from groundtune.store.files import JsonLinesLog, read_json_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress, System
    from groundtune.core.values import Answer, QaCase
    from groundtune.generate.confidence import Likeness


def judge_answers(
    cases: Sequence[QaCase],
    *,
    system: Callable[[], System],
    log: Path,
    progress: Progress,
) -> list[Judged]:
    """Have a system answer each case, or take what it answered before.

    Args:
        cases: Labelled.
        system: Opens the system; called only if there is something left to answer.
        log: What was answered; its name belongs to the system alone.
        progress: Told how many cases are answered.

    Raises:
        GenerationError: A case could not be answered; those before it are kept.
        StoreError: The log cannot be written.
    """
    known = {row["key"]: row["judged"] for row in read_json_lines(log)}
    keys = [fingerprint({"q": case.question, "a": case.answers}) for case in cases]
    left = [pair for pair in zip(keys, cases, strict=True) if pair[0] not in known]
    if left:
        progress("opening the model", 0, None)
        opened = system()
        compare = opened.likeness if isinstance(opened, Comparer) else None
        writer = JsonLinesLog(log)
        try:
            for number, (key, case) in enumerate(left):
                progress("answering", len(cases) - len(left) + number, len(cases))
                row = _judged(case, opened.answer(case), likeness=compare)
                writer.append({"key": key, "judged": row})
                known[key] = row
        finally:
            writer.close()
        progress("answering", len(cases), len(cases))
    return [
        Judged(case=case.id, group=group_of(case) or case.id, **known[key])
        for key, case in zip(keys, cases, strict=True)
    ]


def _judged(
    case: QaCase, answer: Answer, *, likeness: Likeness | None
) -> dict[str, Any]:
    scores = score_answer(
        answer.text,
        case.answers,
        answerable=case.answerable,
        abstained=answer.abstained,
    )
    is_right = case.answerable and not answer.abstained
    return {
        "signals": answer_signals(case.question, answer, likeness=likeness),
        "score": scores[PRIMARY] if is_right else 0.0,
        "answerable": case.answerable,
        "abstained": answer.abstained,
    }
