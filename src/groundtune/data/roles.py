"""Which column is what: by its name, else by what stands in it, never by its place.

A file that can be read in two ways is refused with both ways named: trained the wrong
way round, a model learns nothing that one could see from the loss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from groundtune.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.data.rows import Row

_SAMPLE_ROWS = 2_000
_TEXT_WORDS = 3
"""Mean number of words from which a column is taken for running text."""
_LABEL_CHARACTERS = 40
_LABEL_ROWS = 4
"""A column of labels repeats each at least so often, on average."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?")

ALIASES: dict[str, tuple[str, ...]] = {
    "text": (
        "sentence",
        "review",
        "utterance",
        "tweet",
        "comment",
        "content",
        "body",
        "question",
        "query",
        "claim",
        "document",
        "input",
        "instruction",
    ),
    "label": (
        "label_text",
        "label_name",
        "labels",
        "category",
        "class",
        "sentiment",
        "intent",
        "topic",
        "coarse_label",
        "fine_label",
        "polarity",
        "target",
        "output",
    ),
    "tokens": ("words",),
    "tags": ("ner_tags", "labels", "ner", "entities_bio"),
    "entities": ("spans",),
    "source": ("src", "source_text"),
    "target": ("tgt", "target_text", "reference"),
    "messages": ("conversations", "conversation", "dialog", "dialogue", "turns"),
    "instruction": ("prompt", "question", "query", "user"),
    "response": ("output", "completion", "answer", "assistant", "reply"),
    "document": (
        "text",
        "article",
        "dialogue",
        "dialog",
        "content",
        "body",
    ),
    "query": ("question",),
    "summary": ("summaries", "highlights", "abstract", "tldr"),
    "intent": (),
    "input": (),
    "system": (),
    "history": (),
    "id": (),
    "group": (),
}
"""Names that columns of a role have; its own name goes before all of them."""

NAMES = frozenset(ALIASES) | {name for names in ALIASES.values() for name in names}
"""All of them: a header line that has one is a header line."""


class Reading(NamedTuple):
    """One way in which a row becomes a case."""

    name: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


_PLAIN = Reading("text and label", ("text", "label"))
READINGS: dict[str, tuple[Reading, ...]] = {
    "sentiment": (_PLAIN,),
    "classification": (_PLAIN,),
    "ner": (
        Reading("tokens and tags", ("tokens", "tags")),
        Reading("text and entities", ("text", "entities")),
    ),
    "translation": (Reading("source and target", ("source", "target")),),
    "summarization": (
        Reading("document and summary", ("document", "summary")),
        Reading("query and summary", ("query", "summary")),
    ),
    "support": (
        Reading("messages", ("messages",), ("system", "intent")),
        Reading(
            "instruction and response",
            ("instruction", "response"),
            ("input", "system", "history", "intent"),
        ),
    ),
}
"""By task. `id` and `group` are optional everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What was decided for a file."""

    reading: Reading
    columns: dict[str, str]
    """Role to column."""


def find_roles(
    rows: Sequence[Row], *, task: str, given: Mapping[str, str], where: str
) -> Roles:
    """Decide which column has which role.

    Args:
        rows: All rows of a file, or enough of them to judge by.
        task: A key of `READINGS`.
        given: Role to column, as the person said; goes before everything else.
        where: The file, as an error names it.

    Raises:
        DataError: A role has no column or several, or two readings fit.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row.fields))
    _check_given(given, columns, task=task, where=where)
    fitting: list[Roles] = []
    missing: list[str] = []
    for reading in READINGS[task]:
        found, lacking = _match(reading, rows, columns, given=given, where=where)
        if lacking:
            missing.append(f"{reading.name} (no {' and no '.join(lacking)})")
        else:
            fitting.append(Roles(reading=reading, columns=found))
    if len(fitting) > 1:
        raise two_readings([_shown(roles) for roles in fitting], where=where)
    if not fitting:
        example = READINGS[task][0].needed[-1]
        raise DataError(
            f"{task} needs {' or '.join(missing)}; the columns are "
            f"{', '.join(map(str, columns)) or 'none'}",
            fix=f"name the columns, or say which they are: --role {example}=COLUMN",
            where=where,
        )
    return fitting[0]


class AmbiguousError(DataError):
    """A file that can be read in several ways."""


def two_readings(readings: Sequence[str], *, where: str) -> AmbiguousError:
    """The error for a file that says two things."""
    return AmbiguousError(
        f"it can be read in {len(readings)} ways: {'; or '.join(readings)}",
        fix="say which one is meant, with --role ROLE=COLUMN",
        where=where,
    )


def _shown(roles: Roles) -> str:
    return ", ".join(f"{role}={roles.columns[role]}" for role in roles.reading.needed)


def _check_given(
    given: Mapping[str, str], columns: Sequence[str], *, task: str, where: str
) -> None:
    known = {"id", "group"}
    for reading in READINGS[task]:
        known |= {*reading.needed, *reading.optional}
    for role, column in given.items():
        if role not in known:
            raise DataError(
                f"{task} has no role {role!r}",
                fix=f"use one of {', '.join(sorted(known))}",
                where=where,
            )
        if column not in columns:
            raise DataError(
                f"no column {column!r} for the role {role!r}",
                fix=f"use one of {', '.join(columns)}",
                where=where,
            )


def _match(
    reading: Reading,
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    given: Mapping[str, str],
    where: str,
) -> tuple[dict[str, str], list[str]]:
    """Columns of a reading, and the roles that found none.

    Raises:
        DataError: A role fits several columns.
    """
    found: dict[str, str] = {}
    lacking: list[str] = []
    for role in (*reading.needed, *reading.optional, "id", "group"):
        if role in given:
            found[role] = given[role]
            continue
        taken = {*found.values(), *given.values()}
        free = [column for column in columns if column not in taken]
        candidates = _by_name(role, free)
        if len(candidates) > 1:
            candidates = _of_kind(role, candidates, rows)
        if not candidates and role in {"text", "label"} and len(reading.needed) == 2:
            candidates = _by_content(role, free, rows)
        if len(candidates) > 1 and role in reading.needed:
            ways = [f"{role}={column}" for column in candidates]
            raise two_readings(ways, where=where)
        if candidates:
            found[role] = candidates[0]
        elif role in reading.needed:
            lacking.append(role)
    if lacking and reading.needed == ("source", "target"):
        return _by_language(found, lacking, columns, given=given, where=where)
    return found, lacking


def _by_language(
    found: dict[str, str],
    lacking: list[str],
    columns: Sequence[str],
    *,
    given: Mapping[str, str],
    where: str,
) -> tuple[dict[str, str], list[str]]:
    """Columns named by languages: which is the source, only the person can say."""
    languages = [column for column in columns if _LANGUAGE.fullmatch(column)]
    named = [role for role in ("source", "target") if role in given]
    if len(languages) == 2 and not named:
        one, other = languages
        ways = [f"source={one}, target={other}", f"source={other}, target={one}"]
        raise two_readings(ways, where=where)
    rest = [column for column in languages if column not in given.values()]
    if len(named) == 1 and len(rest) == 1:
        return {**found, lacking[0]: rest[0]}, []
    return found, lacking


def plain_name(column: str) -> str:
    """A column name as it is compared: lower case, spaces and hyphens as `_`."""
    return re.sub(r"[\s-]+", "_", column.strip()).casefold()


def _by_name(role: str, columns: Sequence[str]) -> list[str]:
    names = {column: plain_name(column) for column in columns}
    if own := [column for column, name in names.items() if name == role]:
        return own[:1]
    return [column for column, name in names.items() if name in ALIASES[role]]


def _of_kind(role: str, candidates: list[str], rows: Sequence[Row]) -> list[str]:
    """Of several columns with a fitting name, those with fitting content.

    Two columns of labels that say the same, one in numbers, are one: the names stay.
    """
    if role == "text":
        return [c for c in candidates if _is_text(_values(rows, c))] or candidates
    if role != "label":
        return candidates
    kept = [c for c in candidates if _is_label(_values(rows, c))] or candidates
    if len(kept) == 2 and _same_classes(kept, rows):
        words = [c for c in kept if not _all_numbers(_values(rows, c))]
        return words[:1] or kept
    return kept


def _by_content(role: str, columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    fits = _is_text if role == "text" else _is_label
    return [column for column in columns if fits(_values(rows, column))]


def _values(rows: Sequence[Row], column: str) -> list[str]:
    found: list[str] = []
    for row in rows[:_SAMPLE_ROWS]:
        value = row.fields.get(column)
        if isinstance(value, str | int) and str(value).strip():
            found.append(str(value).strip())
        elif value is not None and not isinstance(value, str):
            return []
    return found


def _is_text(values: Sequence[str]) -> bool:
    if not values:
        return False
    words = sum(len(value.split()) for value in values) / len(values)
    return words >= _TEXT_WORDS and len(set(values)) * 2 > len(values)


def _is_label(values: Sequence[str]) -> bool:
    kinds = set(values)
    return (
        len(kinds) > 1
        and len(kinds) * _LABEL_ROWS <= len(values)
        and max(map(len, kinds)) <= _LABEL_CHARACTERS
    )


def _all_numbers(values: Sequence[str]) -> bool:
    return all(re.fullmatch(r"-?\d+(?:\.\d+)?", value) for value in values)


def _same_classes(columns: Sequence[str], rows: Sequence[Row]) -> bool:
    one, other = (
        [str(row.fields.get(column)) for row in rows[:_SAMPLE_ROWS]]
        for column in columns
    )
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))


def spread(rows: Sequence[Row]) -> list[Row]:
    """Rows with a `translation` object laid out, a column for each language."""
    first = rows[0].fields.get("translation") if rows else None
    if not isinstance(first, dict):
        return list(rows)
    laid: list[Row] = []
    for row in rows:
        inside: Any = row.fields.get("translation")
        if isinstance(inside, dict):
            rest = {k: v for k, v in row.fields.items() if k != "translation"}
            languages = cast("dict[str, Any]", inside)
            laid.append(row._replace(fields={**rest, **languages}))
        else:
            laid.append(row)
    return laid
