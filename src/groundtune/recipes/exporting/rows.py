"""The held-out rows that an export is tried on.

A label model's folder holds the cases it was judged on, a generator's the prompts of
its dev cases. A file named by the person goes before both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from groundtune.augment.chat import ChatTemplate
from groundtune.core.errors import DataError
from groundtune.core.values import Message
from groundtune.recipes.labelling import EVALUATION
from groundtune.recipes.predict import read_inputs, read_rows
from groundtune.store.files import read_json_lines
from groundtune.tune.exports.prompts import PROMPTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.store.models import ModelFolder

Kept = TypeVar("Kept")

TEXTS = 200
"""Texts or sentences that a label model is tried on."""
ASKED = 50
"""Prompts that a generator is tried on."""
_PROMPT_COLUMNS = ("question", "source", "instruction", "customer", "text", "query")
_SIDES = ("test", "dev")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Rows and where they come from."""

    origin: str
    """"test", "dev", or the file that was named."""
    texts: tuple[Any, ...]
    """Texts, lists of tokens, or prompts."""
    gold: tuple[list[str], ...] = ()
    """Right labels of each row, where they are known."""


def held_texts(
    model: ModelFolder, check: Path | None, *, column: str, is_words: bool
) -> Held:
    """Rows for a label model.

    Raises:
        DataError: None are known, or the file cannot be read.
    """
    if check is not None:
        inputs = read_inputs(check, column=column, is_words=is_words)
        values = [row.fields[inputs.column] for row in inputs.rows]
        return Held(origin=str(check), texts=tuple(_spread(values, TEXTS)))
    name = "tokens" if is_words else "text"
    for side in _SIDES:
        rows = read_json_lines(model.path / EVALUATION / f"{side}.jsonl")
        if chosen := _spread([row for row in rows if name in row], TEXTS):
            return Held(
                origin=side,
                texts=tuple(row[name] for row in chosen),
                gold=tuple(list(row["gold"]) for row in chosen),
            )
    raise _nothing_held_out(model, f'{{"{name}": ...}}')


def held_prompts(model: ModelFolder, check: Path | None, *, column: str) -> Held:
    """Prompts for a generator, as it is sent them.

    A row of a file gives its `prompt` as it stands, its `messages`, or a text that
    becomes the message of a user.

    Raises:
        DataError: None are known, or the file cannot be read.
    """
    if check is not None:
        rows = read_rows(check, like='{"prompt": "..."}')
        template = ChatTemplate(model.chat_template, where=model.name)
        prompts = [
            _prompt(row.fields, template, column=column, where=row.where)
            for row in _spread(rows, ASKED)
        ]
        return Held(origin=str(check), texts=tuple(prompts))
    rows = read_json_lines(model.path / PROMPTS)
    if not rows:
        raise _nothing_held_out(model, '{"prompt": ...}')
    chosen = _spread(rows, ASKED)
    return Held(origin="dev", texts=tuple(str(row["prompt"]) for row in chosen))


def _prompt(
    fields: Mapping[str, Any], template: ChatTemplate, *, column: str, where: str
) -> str:
    names = {name.lower(): name for name in fields}
    known = (column,) if column else ("prompt", "messages", *_PROMPT_COLUMNS)
    found = next((names[name.lower()] for name in known if name.lower() in names), "")
    value = fields.get(found)
    if isinstance(value, str) and found.lower() == "prompt":
        return value
    if isinstance(value, str):
        return template.render([Message(role="user", content=value)])
    if isinstance(value, list):
        return template.render(_messages(cast("list[Any]", value), where))
    raise DataError(
        f"no prompt: it has {', '.join(fields)}",
        fix='write rows such as {"prompt": "..."}, or name the column with --column',
        where=where,
    )


def _messages(turns: list[Any], where: str) -> list[Message]:
    """The turns up to the last one that is not the assistant's."""
    try:
        said = [Message(role=str(t["role"]), content=str(t["content"])) for t in turns]
    except (KeyError, TypeError) as error:
        raise DataError(
            "its messages have no role and content",
            fix="write each turn as an object with role and content",
            where=where,
        ) from error
    while said and said[-1].role == "assistant":
        said.pop()
    return said


def _spread(rows: Sequence[Kept], most: int) -> list[Kept]:
    """So many rows, evenly over a file that may be sorted."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)
    return [rows[int(place)] for place in places]


def _nothing_held_out(model: ModelFolder, like: str) -> DataError:
    return DataError(
        "the model's folder holds no held-out rows to try the export on",
        fix=f"name a file of rows such as {like} with --check",
        where=str(model.path),
    )
