"""The sides of a task that writes: what is learned from, chosen by and scored on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from groundtune.augment.summaries import SUMMARIZE, TELL_OF_TOPIC
from groundtune.augment.texts import (
    REPLY_TO_CUSTOMER,
    language_name,
    translation_instruction,
)
from groundtune.core.errors import ConfigError
from groundtune.core.values import TranslationCase
from groundtune.data.labelled import read_labelled
from groundtune.data.languages import guess_language
from groundtune.data.stratify import in_hashed_order, split_stratified
from groundtune.recipes.writing import text_case
from groundtune.tasks import summarization, translation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundtune.core.values import SummaryCase, SupportCase
    from groundtune.data.labelled import LabelledData
    from groundtune.tune.text_examples import TextCase

    Case = TranslationCase | SupportCase | SummaryCase

_DEV_SHARE = 0.1
_DEV_CASES = 200
"""Most that are held out where no dev cases are given: enough for a loss."""
_LEAST_CASES_TO_SHARE = 50
_LANGUAGE_TEXTS = 200
"""From which a language is guessed."""


class TextFiles(NamedTuple):
    """How the files of a task are read."""

    task: str
    format: str | None
    roles: Mapping[str, str] | None

    def read(self, path: Path) -> LabelledData:
        """The cases of one of them."""
        return read_labelled(path, task=self.task, format=self.format, roles=self.roles)


class TextSides(NamedTuple):
    """Cases by side, and what the model is told to do with them."""

    train: tuple[TextCase, ...]
    dev: tuple[TextCase, ...]
    test: tuple[TextCase, ...]
    instruction: str


def sides_of(
    files: TextFiles,
    train: Path,
    dev: Path | None,
    test: Path | None,
    *,
    test_share: float | None,
    seed: int,
) -> TextSides:
    """Read and divide the cases.

    Args:
        files: How they are read.
        train: Cases to learn from.
        dev: Cases that choose the best weights; some of `train` if not given.
        test: Cases to score on; or
        test_share: the share of `train` that is held out for this.
        seed: Of the split.

    Raises:
        ConfigError: Test cases are given twice, or the share is no share.
        DataError: A file cannot be used.
    """
    if test is not None and test_share is not None:
        raise ConfigError(
            "test cases are given twice",
            fix="give --test or --test-share",
            where="tune",
        )
    data = files.read(train)
    cases = cast("tuple[Case, ...]", data.cases)
    instruction = instruction_for(data)
    tested = cast("tuple[Case, ...]", files.read(test).cases) if test else ()
    if test_share is not None:
        if not 0 < test_share < 1:
            raise ConfigError(
                f"test share is {test_share}",
                fix="use a share between 0 and 1",
                where="--test-share",
            )
        shares = (1 - test_share, test_share)
        cases, tested = map(tuple, split_stratified(cases, shares=shares, seed=seed))
    held = cast("tuple[Case, ...]", files.read(dev).cases) if dev else ()
    if dev is None and len(cases) >= _LEAST_CASES_TO_SHARE:
        share = min(_DEV_SHARE, _DEV_CASES / len(cases))
        cases, held = map(
            tuple, split_stratified(cases, shares=(1 - share, share), seed=seed)
        )
    held_cases = tuple(text_case(case) for case in held)
    return TextSides(
        tuple(text_case(case) for case in cases),
        few(held_cases, limit=_DEV_CASES, seed=seed),
        tuple(text_case(case) for case in tested),
        instruction,
    )


def few(
    cases: tuple[TextCase, ...], *, limit: int | None, seed: int
) -> tuple[TextCase, ...]:
    """At most so many cases, drawn by chance, in the order given."""
    if limit is None or len(cases) <= limit:
        return cases
    drawn = {case.id for case in in_hashed_order(cases, seed=seed)[:limit]}
    return tuple(case for case in cases if case.id in drawn)


def instruction_for(data: LabelledData) -> str:
    """What the model is told to do; languages are named where they are known."""
    if data.task == summarization.NAME:
        return SUMMARIZE if "document" in data.roles else TELL_OF_TOPIC
    if data.task != translation.NAME:
        return REPLY_TO_CUSTOMER
    cases = [case for case in data.cases if isinstance(case, TranslationCase)]
    codes: dict[str, str] = {}
    for role in ("source", "target"):
        column = data.roles.get(role, "")
        if not language_name(column) or len(column) > len("pt-BR"):
            texts = [getattr(case, role) for case in cases[:_LANGUAGE_TEXTS]]
            column = guess_language("\n".join(texts))
        codes[role] = column
    return translation_instruction(codes["source"], codes["target"])
