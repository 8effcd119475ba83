"""All that is looked for in a labelled file, in one call.

Pure: reads no files and changes nothing. What it says of good data are notes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.values import LabelCase, SupportCase
from groundtune.data.examination.diagnosis import RANK, Diagnosis, Spot, cells_of
from groundtune.data.examination.entities import check_entities
from groundtune.data.examination.labels import Labelled, check_labels
from groundtune.data.examination.lengths import check_lengths
from groundtune.data.examination.repeats import (
    Prints,
    check_leaks,
    check_repeats,
    items_of,
)
from groundtune.data.examination.summaries import check_summaries
from groundtune.data.examination.translations import check_translations
from groundtune.data.examination.turns import check_turns
from groundtune.data.examination.writing import check_writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from groundtune.data.examination.lengths import Limit
    from groundtune.data.examination.repeats import Item
    from groundtune.data.labelled import LabelledData

_FEW_ROWS = 10


def examine_labelled(
    data: LabelledData,
    *,
    file: str,
    test: LabelledData | None = None,
    limit: Limit | None = None,
) -> list[Diagnosis]:
    """Examine a training file, and a test file against it.

    Args:
        data: What can be read of the training file.
        file: Its name, for what no row is to blame for.
        test: What can be read of the test file; only leaks are looked for in it.
        limit: The base model's tokenizer and length.
    """
    items = items_of(data)
    prints = Prints()
    found = [
        *_by_task(data, file=file),
        *check_writing(cells_of(data), rows=len(items), is_tokens=data.task == "ner"),
        *check_repeats(data, items, prints=prints),
        *check_lengths(data, limit=limit),
        *_constant(data, items, file=file),
        *_encoding(data, file=file),
    ]
    if test is not None:
        found += check_leaks(data, items, test, items_of(test), prints=prints)
    return in_order(found)


def in_order(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Errors first, then warnings, then notes."""
    return sorted(found, key=lambda one: RANK[one.severity])


def _by_task(data: LabelledData, *, file: str) -> Iterator[Diagnosis]:
    roles = data.roles
    if data.task == "ner":
        yield from check_entities(data, file=file)
    elif data.task == "translation":
        yield from check_translations(data, file=file)
    elif data.task == "summarization":
        yield from check_summaries(data)
    elif data.task == "support":
        yield from check_turns(data)
        if "intent" in roles:
            asked = roles.get("instruction", roles.get("messages", ""))
            columns = {"text": asked, "label": roles["intent"]}
            rows = _labelled(data)
            # One intent throughout is no use, and no harm either.
            if len({row.label for row in rows}) > 1:
                yield from check_labels(rows, columns=columns, file=file)
    else:
        yield from check_labels(_labelled(data), columns=roles, file=file)


def _labelled(data: LabelledData) -> list[Labelled]:
    found: list[Labelled] = []
    for case, where in zip(data.cases, data.places, strict=True):
        if isinstance(case, LabelCase):
            found.append(Labelled(where, case.text, case.label))
        elif isinstance(case, SupportCase) and case.intent:
            asked = [turn.content for turn in case.messages if turn.role == "user"]
            found.append(Labelled(where, " ".join(asked), case.intent))
    return found


def _constant(
    data: LabelledData, items: Sequence[Item], *, file: str
) -> Iterator[Diagnosis]:
    """Columns that say the same in every row; one label is for `check_labels`."""
    if len(items) < _FEW_ROWS:
        return
    roles = data.roles
    columns = {
        roles.get("text", roles.get("source", roles.get("instruction", ""))): "key",
        roles.get("target", roles.get("response", "")): "answer",
        roles.get("group", ""): "group",
    }
    if "intent" in roles:
        columns[roles["intent"]] = "answer"
    for column, field in columns.items():
        if column and len({getattr(item, field) for item in items}) == 1:
            yield Diagnosis(
                kind="constant_column",
                severity="note" if column == roles.get("intent") else "error",
                message=f"every row has the same {column!r}",
                fix="check which column is which: --role ROLE=COLUMN",
                spots=(Spot(file, column),),
            )


def _encoding(data: LabelledData, *, file: str) -> Iterator[Diagnosis]:
    if data.encoding not in {"utf-8", "utf-16"}:
        yield Diagnosis(
            kind="encoding",
            severity="note",
            message=f"the file is not UTF-8 and was read as {data.encoding}",
            fix="look whether accented letters are right, and write it as UTF-8",
            spots=(Spot(file),),
        )
