"""The file of drafted cases: a line each, read by `data.cases`, reviewed in place.

Wordings of one fact stand beside each other and share `fact`. What a person rejected is
moved to a file beside it and never lost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.data.questions.drafts import one_line
from groundtune.store.files import read_json_lines, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.core.values import Document
    from groundtune.data.questions.drafts import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is asked in several wordings, as it stands in the file."""

    id: str
    questions: tuple[str, ...]
    answer: str
    source: str
    evidence: str
    """Verbatim, from the source."""
    start: int
    """First character of the evidence in the source's text."""
    end: int
    made_by: str
    """Such as `rule: definition`, and `edited` where a person changed it."""
    reviewed: bool = False

    def lines(self) -> list[dict[str, Any]]:
        """A case for each wording."""
        return [
            {
                "id": f"{self.id}-{number}",
                "question": question,
                "answers": [self.answer],
                "source": self.source,
                "evidence": [self.evidence],
                "group": self.source,
                "reviewed": self.reviewed,
                "made_by": self.made_by,
                "fact": self.id,
                "start": self.start,
                "end": self.end,
            }
            for number, question in enumerate(self.questions, start=1)
        ]

    def edited(
        self, *, questions: Sequence[str] | None = None, answer: str | None = None
    ) -> Fact:
        """Accepted, with other words.

        Raises:
            DataError: The answer does not stand in the evidence, or no question is
                left.
        """
        asked = self.questions if questions is None else tuple(questions)
        asked = tuple(dict.fromkeys(one_line(text) for text in asked if text.strip()))
        said = self.answer if answer is None else one_line(answer)
        if not asked or not said:
            raise DataError(
                "a case needs a question and an answer",
                fix="write both, or reject it",
                where=self.id,
            )
        if said not in one_line(self.evidence):
            raise DataError(
                f"{said!r} does not stand in the evidence",
                fix="use words of the evidence, in their order, or reject it",
                where=self.id,
            )
        return replace(
            self,
            questions=asked,
            answer=said,
            reviewed=True,
            made_by=self.made_by
            if (asked, said) == (self.questions, self.answer)
            or self.made_by.endswith(", edited")
            else f"{self.made_by}, edited",
        )


def fact_of(draft: Draft, document: Document) -> Fact:
    """A draft as it is written."""
    evidence = document.text[draft.evidence.start : draft.evidence.end]
    content = json.dumps([document.id, draft.questions[0], draft.answer])
    return Fact(
        id=text_sha256(content)[:12],
        questions=draft.questions,
        answer=draft.answer,
        source=document.id,
        evidence=evidence,
        start=draft.evidence.start,
        end=draft.evidence.end,
        made_by=f"rule: {draft.rule}",
    )


def write_facts(path: Path, facts: Sequence[Fact]) -> None:
    """Replace the file.

    Raises:
        StoreError: It could not be written; the old one is untouched.
    """
    lines = (
        json.dumps(line, ensure_ascii=False) + "\n"
        for fact in facts
        for line in fact.lines()
    )
    write_atomic(path, "".join(lines))


def read_facts(path: Path) -> list[Fact]:
    """Read a file that `write_facts` wrote, perhaps edited since.

    Raises:
        DataError: It is missing, or a line is not of a drafted case.
    """
    if not path.is_file():
        raise DataError(
            "no such file",
            fix="draft questions first: groundtune questions --kb KB --out F",
            where=str(path),
        )
    found: dict[str, Fact] = {}
    for number, line in enumerate(read_json_lines(path), start=1):
        fact = _fact(line, where=f"{path}:{number}")
        known = found.get(fact.id)
        found[fact.id] = (
            fact
            if known is None
            else replace(
                known,
                questions=(*known.questions, *fact.questions),
                reviewed=known.reviewed and fact.reviewed,
            )
        )
    return list(found.values())


def rejected_file(path: Path) -> Path:
    """Where rejected drafts of `path` are kept."""
    return path.with_name(f"{path.stem}.rejected{path.suffix}")


def _fact(line: Mapping[str, Any], *, where: str) -> Fact:
    try:
        return Fact(
            id=str(line["fact"]),
            questions=(str(line["question"]),),
            answer=str(line["answers"][0]),
            source=str(line["source"]),
            evidence=str(line["evidence"][0]),
            start=int(line["start"]),
            end=int(line["end"]),
            made_by=str(line["made_by"]),
            reviewed=bool(line["reviewed"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            "not a drafted case",
            fix="give a file that `groundtune questions` wrote",
            where=where,
        ) from error
