"""How long the rows are, and what a model with a given limit would not see of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.values import (
    EntityCase,
    LabelCase,
    SummaryCase,
    TranslationCase,
)
from groundtune.data.examination.diagnosis import Diagnosis, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundtune.core.protocols import Tokenizer
    from groundtune.data.examination.diagnosis import Severity
    from groundtune.data.labelled import LabelledData

_MARGIN = 8
"""Tokens that a template puts around a turn, about."""
_MOST_CUT = 0.01
"""Share of rows: above it, cut answers are an error."""
_MOST_CUT_TEXTS = 0.3
_FAR = 8
"""A row so many times as long as the 95th percentile decides about the memory."""
_COLUMNS = ("response", "messages", "text", "tokens", "target", "summary")
"""Roles, the first of which that a file has is named for a long row."""
_PILE_CHARACTERS = 100
_PILE_SHARE = 0.02
_PILE_ROWS = 5


class Limit(NamedTuple):
    """What a base model takes in one piece."""

    tokenizer: Tokenizer
    tokens: int
    name: str


class _Length(NamedTuple):
    where: str
    text: int
    answer: int
    """0 where nothing is written, as for a label."""


def check_lengths(data: LabelledData, *, limit: Limit | None) -> Iterator[Diagnosis]:
    """Report lengths, and rows that exceed the limit.

    Args:
        data: A file.
        limit: Tokens are counted with its tokenizer; words where it is None.
    """
    lengths = _lengths(data, limit)
    totals = sorted(length.text + length.answer for length in lengths)
    unit = "tokens" if limit else "words"
    yield Diagnosis(
        kind="lengths",
        severity="note",
        message=f"rows have {_share(totals, 0.5)} {unit} in the middle, "
        f"{_share(totals, 0.95)} at the 95th percentile, {totals[-1]} at most",
    )
    named = [data.roles[role] for role in _COLUMNS if role in data.roles]
    column = named[0] if named else ""
    if limit is not None:
        yield from _over(lengths, limit, column=column)
    far = _FAR * max(1, _share(totals, 0.95))
    spots = tuple(
        Spot(row.where, column, f"{row.text + row.answer} {unit}")
        for row in lengths
        if row.text + row.answer > far
    )
    if spots:
        yield Diagnosis(
            kind="far_longer",
            severity="warning",
            message=f"{len(spots)} rows are more than {_FAR} times as long as nearly "
            "all others",
            fix="divide or delete them: they decide how much memory training needs",
            spots=spots,
        )
    yield from _pile(data)


def _over(
    lengths: Sequence[_Length], limit: Limit, *, column: str
) -> Iterator[Diagnosis]:
    over = [row for row in lengths if row.text + row.answer > limit.tokens]
    if not over:
        return
    is_answer = any(row.answer for row in over)
    share = len(over) / len(lengths)
    severity: Severity = "warning"
    if share > (_MOST_CUT if is_answer else _MOST_CUT_TEXTS):
        severity = "error"
    lost = sum(row.text + row.answer - limit.tokens for row in over)
    what = "answers would be cut" if is_answer else "texts would be cut"
    yield Diagnosis(
        kind="cut_answer" if is_answer else "cut_text",
        severity=severity,
        message=f"{len(over)} rows exceed the {limit.tokens} tokens of {limit.name}: "
        f"{what}, {lost} tokens in all",
        fix="shorten or divide them, or take a base with a longer context; training "
        "leaves a row out before it cuts an answer",
        spots=tuple(
            Spot(row.where, column, f"{row.text + row.answer} tokens") for row in over
        ),
    )


def _lengths(data: LabelledData, limit: Limit | None) -> list[_Length]:
    def size(text: str) -> int:
        return len(limit.tokenizer.encode(text)) if limit else len(text.split())

    margin = _MARGIN if limit else 0
    found: list[_Length] = []
    for case, where in zip(data.cases, data.places, strict=True):
        if isinstance(case, LabelCase):
            found.append(_Length(where, size(case.text), 0))
        elif isinstance(case, EntityCase):
            found.append(_Length(where, size(" ".join(case.tokens)), 0))
        elif isinstance(case, TranslationCase):
            both = size(case.source) + margin, size(case.target) + margin
            found.append(_Length(where, *both))
        elif isinstance(case, SummaryCase):
            asked = size(case.document or case.query) + margin
            found.append(_Length(where, asked, size(case.summaries[0]) + margin))
        else:
            sizes = [size(turn.content) + margin for turn in case.messages]
            found.append(_Length(where, sum(sizes[:-1]), sizes[-1]))
    return found


def _share(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _pile(data: LabelledData) -> Iterator[Diagnosis]:
    """Texts that all end at the same character: cut before they came here."""
    for column, texts in _by_column(data).items():
        counts = Counter(len(text) for _, text in texts)
        longest = max(counts)
        cut = counts[longest]
        if longest < _PILE_CHARACTERS or cut < max(
            _PILE_ROWS, _PILE_SHARE * len(texts)
        ):
            continue
        yield Diagnosis(
            kind="cut_at_one_length",
            severity="warning",
            message=f"{cut} texts have exactly {longest} characters and none has more: "
            "they look cut",
            fix="export them again without a limit",
            spots=tuple(
                Spot(where, column, f"...{text[-30:]}")
                for where, text in texts
                if len(text) == longest
            ),
        )


def _by_column(data: LabelledData) -> dict[str, list[tuple[str, str]]]:
    roles = data.roles
    found: dict[str, list[tuple[str, str]]] = {}
    for case, where in zip(data.cases, data.places, strict=True):
        texts: dict[str, str] = {}
        if isinstance(case, LabelCase):
            texts = {roles["text"]: case.text}
        elif isinstance(case, TranslationCase):
            texts = {roles["source"]: case.source, roles["target"]: case.target}
        elif isinstance(case, SummaryCase):
            shown = roles.get("document", roles.get("query", ""))
            texts = {
                shown: case.document or case.query,
                roles["summary"]: case.summaries[0],
            }
        elif not isinstance(case, EntityCase):
            column = roles.get("response", roles.get("messages", ""))
            texts = {column: case.messages[-1].content}
        for column, text in texts.items():
            found.setdefault(column, []).append((where, text))
    return found
