"""What a row is, and the figure that rows are summed up in.

A row is one system on one case under one training seed, exactly as it stands in
`rows.jsonl`. Every figure of a report is a view of rows. Scores of one answer are
made in `answers`, figures of many rows in `summary`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.core.values import Arm

DIAGNOSTICS: tuple[str, ...] = (
    "naive_both",
    "right_passage_base",
    "right_passage_tuned",
    "right_passage_closed_book",
    "context_without_documents",
    "random_passages",
    "nearest_answer",
)
"""Systems that explain the arms and can never win; in the order they are shown."""

PLANNED: tuple[tuple[Arm, Arm], ...] = (
    ("tuned", "rag"),
    ("both", "rag"),
    ("both", "tuned"),
)
"""The contrasts fixed before any row exists: the family that Holm corrects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its 95 % interval and the cases it rests on."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int]:
        """As `--json` prints it."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A span of a document, as citations and hits name it."""

    document: str
    start: int
    end: int
    text: str = ""

    def holds(self, other: Place) -> bool:
        """Whether `other` lies wholly inside this span of the same document."""
        return (
            self.document == other.document
            and self.start <= other.start
            and other.end <= self.end
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One system on one case."""

    case: str
    system: str
    seed: int
    group: str
    question: str
    answers: tuple[str, ...]
    answerable: bool
    prediction: str
    scores: Mapping[str, float]
    abstained: bool = False
    citations: tuple[Place, ...] = ()
    may_cite: bool = True
    """False where answers are no statements about documents: labels, translations."""
    hits: tuple[Place, ...] = ()
    hit: bool | None = None
    """Whether the right passage was among the hits; None where nothing was sought."""
    rank: int | None = None
    """Place of the first right passage, from 1; None where it was not found."""
    gold: tuple[Place, ...] = ()
    """Where the answer stands, if the cases say so."""
    prompt_tokens: int = 0
    output_tokens: int = 0
    error: str | None = None
    reviewed: bool = True
    """False for a case that was drafted and that nobody looked at."""

    @classmethod
    def from_json(cls, raw: Mapping[str, Any], *, where: str = "") -> Row:
        """Read one line of `rows.jsonl`.

        Raises:
            DataError: A field is missing, or a score is not a number in [0, 1].
        """
        try:
            scores = {str(name): float(x) for name, x in raw["scores"].items()}
            row = cls(
                case=str(raw["case"]),
                system=str(raw["system"]),
                seed=int(raw.get("seed", 0)),
                group=str(raw.get("group") or raw["case"]),
                question=str(raw["question"]),
                answers=tuple(str(answer) for answer in raw["answers"]),
                answerable=bool(raw.get("answerable", True)),
                reviewed=bool(raw.get("reviewed", True)),
                prediction=str(raw["prediction"]),
                scores=scores,
                abstained=bool(raw.get("abstained", False)),
                citations=_places(raw.get("citations")),
                may_cite="citations" in raw,
                hits=_places(raw.get("hits")),
                hit=None if raw.get("hit") is None else bool(raw["hit"]),
                rank=None if raw.get("rank") is None else int(raw["rank"]),
                gold=_places(raw.get("gold")),
                prompt_tokens=int(raw.get("prompt_tokens", 0)),
                output_tokens=int(raw.get("output_tokens", 0)),
                error=None if raw.get("error") is None else str(raw["error"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"not a row: {type(error).__name__} {error}",
                fix="delete this line and run the comparison again: it resumes",
                where=where,
            ) from error
        for name, score in scores.items():
            if not 0 <= score <= 1:
                raise DataError(
                    f"score {name!r} is {score}",
                    fix="scores of one case lie between 0 and 1",
                    where=where,
                )
        return row


def _places(raw: Any) -> tuple[Place, ...]:  # noqa: ANN401 (checked by use)
    return tuple(
        Place(
            document=str(item["document"]),
            start=int(item["start"]),
            end=int(item["end"]),
            text=str(item.get("text", "")),
        )
        for item in raw or ()
    )
