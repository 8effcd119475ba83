"""Solved cases of a comparison of texts: read, divided, frozen, and made rows of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundtune.config.writing import MOST_NEW_TOKENS
from groundtune.core.errors import DataError
from groundtune.measure.rouge import rouge
from groundtune.recipes.comparison.answering import hit_places
from groundtune.recipes.text_sides import TextFiles, few, sides_of
from groundtune.recipes.written_measures import measures_of
from groundtune.store.files import write_atomic
from groundtune.store.models import open_model
from groundtune.tasks import summarization

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.core.values import Answer
    from groundtune.recipes.comparison.prepare import ExampleSources
    from groundtune.recipes.text_sides import TextSides
    from groundtune.recipes.writing import TextJob
    from groundtune.systems.text_arm import TextSpec
    from groundtune.tune.text_examples import TextCase

_TEST_SHARE = 0.2


def read_text_sides(
    sources: ExampleSources,
    task: str,
    *,
    settings: CompareSettings,
    tell: Callable[[str], None],
) -> TextSides:
    """The files as sides, each with cases; what a test case asks is not learned.

    Raises:
        DataError: There are none to test on.
    """
    files = TextFiles(task, sources.format, sources.roles)
    first = sources.cases or sources.train
    assert first is not None, "checked by the recipe"
    sides = sides_of(
        files,
        first,
        sources.dev,
        sources.test,
        test_share=_TEST_SHARE if sources.cases else None,
        seed=settings.seed,
    )
    test = few(sides.test, limit=settings.limit, seed=settings.seed)
    if not test:
        raise DataError(
            "there are no test cases", fix="give --test or --cases", where="compare"
        )
    asked = {case.asked for case in test}
    kept = tuple(case for case in sides.train if case.asked not in asked)
    if not kept:
        raise DataError(
            "every training case asks what a test case asks",
            fix="give files that share no texts",
            where=str(first),
        )
    if gone := len(sides.train) - len(kept):
        tell(f"left out of training, since test cases ask the same: {gone:,}")
    dev = tuple(case for case in sides.dev if case.asked not in asked)
    return sides._replace(train=kept, dev=dev, test=test)


def longest_answer(job: TextJob) -> int:
    """Tokens of the longest answer in training, its end token included."""
    tokenizer = open_model(job.base, kind="generator", offline=True).tokenizer()
    longest = max(len(tokenizer.encode(case.target)) for case in job.train)
    return min(MOST_NEW_TOKENS[job.task], longest + 1)


def freeze(path: Path, cases: Sequence[TextCase]) -> None:
    """Write cases as `systems.text_arm.read_solved` reads them."""
    lines = [json.dumps(case._asdict(), ensure_ascii=False) + "\n" for case in cases]
    write_atomic(path, "".join(lines))


def text_row(
    spec: TextSpec, case: TextCase, answer: Answer, *, seed: int, error: str | None
) -> dict[str, Any]:
    """The row of one case. BLEU and chrF are of a whole set, and made of its rows."""
    scores: dict[str, float] = {}
    if spec.task == summarization.NAME:
        found = rouge("" if error else answer.text, case.accepted)
        scores = {name: getattr(found, name) / 100 for name in measures_of(spec.task)}
    return {
        "case": case.id,
        "system": spec.name,
        "seed": seed,
        "group": case.group or case.id,
        "question": case.asked,
        "answers": list(case.accepted),
        "prediction": answer.text,
        "scores": scores,
        "hits": hit_places(answer),
        "prompt_tokens": answer.usage.prompt_tokens,
        "output_tokens": answer.usage.output_tokens,
        "error": error,
    }
