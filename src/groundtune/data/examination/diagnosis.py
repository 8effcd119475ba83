"""What the doctor found, where, and how much it matters.

An error makes training fail or its figure wrong. A warning is most likely a mistake. A
note is a fact to know. Of what also occurs in good data, the share of the rows decides:
below one in 500 it cannot change a model. Markup and slots that stand in one row of 20
are how the data is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundtune.data.labelled import LabelledData
    from groundtune.data.rows import RowError

Severity = Literal["error", "warning", "note"]
RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
RARE = 1 / 500
COMMON = 1 / 20
_DETAIL_CHARACTERS = 100


class Spot(NamedTuple):
    """One place in a file."""

    where: str
    """File and line; the file alone where no line is at fault."""
    column: str = ""
    detail: str = ""
    """What stands there, shortened, or which other row it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing found, at all the places where it occurs."""

    kind: str
    """Such as `conflicting_labels`; stable, so that reports and tests can name it."""
    severity: Severity
    message: str
    fix: str = ""
    spots: tuple[Spot, ...] = ()


class Cell(NamedTuple):
    """One text of a labelled file."""

    where: str
    column: str
    text: str
    is_answer: bool = False
    """Whether a model would learn to write it."""


def by_share(found: int, total: int, *, may_be_meant: bool = False) -> Severity:
    """A note where it is rare, or frequent and may be meant; else a warning."""
    share = found / max(total, 1)
    is_meant = may_be_meant and share >= COMMON
    return "note" if share < RARE or is_meant else "warning"


def shown(text: str) -> str:
    """`text` on one line, shortened, control characters written out."""
    line = " ".join(text.split())
    if len(line) > _DETAIL_CHARACTERS:
        line = f"{line[:_DETAIL_CHARACTERS]}..."
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def from_row_errors(errors: Iterable[RowError]) -> list[Diagnosis]:
    """Rows that could not become cases, by what is wrong with them."""
    grouped: dict[str, list[RowError]] = {}
    for error in errors:
        grouped.setdefault(error.kind, []).append(error)
    return [
        Diagnosis(
            kind=kind,
            severity="error",
            message=f"{len(group)} rows cannot be used: {group[0].problem}",
            fix=group[0].fix,
            spots=tuple(
                Spot(error.where, error.column, error.problem) for error in group
            ),
        )
        for kind, group in grouped.items()
    ]


def line_of_token(place: str, index: int, *, is_columns: bool) -> str:
    """Where the token at `index` of a sentence stands.

    Args:
        place: File and first line of the sentence.
        index: From 0.
        is_columns: Whether each token has a line of its own.
    """
    if not is_columns:
        return place
    file, _, line = place.rpartition(":")
    return f"{file}:{int(line) + index}"


def cells_of(data: LabelledData) -> list[Cell]:
    """Every text of a file, tokens one by one; labels are no texts."""
    from groundtune.core.values import (
        EntityCase,
        LabelCase,
        SummaryCase,
        TranslationCase,
    )

    roles = data.roles
    is_columns = data.format == "conll"
    found: list[Cell] = []
    for case, where in zip(data.cases, data.places, strict=True):
        if isinstance(case, LabelCase):
            found.append(Cell(where, roles["text"], case.text))
        elif isinstance(case, EntityCase):
            column = roles.get("tokens", roles.get("text", ""))
            found += [
                Cell(line_of_token(where, n, is_columns=is_columns), column, token)
                for n, token in enumerate(case.tokens)
            ]
        elif isinstance(case, TranslationCase):
            found.append(Cell(where, roles["source"], case.source))
            found.append(Cell(where, roles["target"], case.target, is_answer=True))
        elif isinstance(case, SummaryCase):
            column = roles.get("document", roles.get("query", ""))
            found.append(Cell(where, column, case.document or case.query))
            found += [
                Cell(where, roles["summary"], text, is_answer=True)
                for text in case.summaries
            ]
        else:
            found += [
                Cell(where, column, turn.content, turn.role == "assistant")
                for column, turn in zip(
                    turn_columns(data, len(case.messages)), case.messages, strict=True
                )
            ]
    return found


def turn_columns(data: LabelledData, turns: int) -> list[str]:
    """Column of each turn of a conversation."""
    roles = data.roles
    if "messages" in roles:
        return [f"{roles['messages']}[{number}]" for number in range(turns)]
    before = [roles.get("history", roles.get("system", ""))] * (turns - 2)
    return [*before, roles["instruction"], roles["response"]]
