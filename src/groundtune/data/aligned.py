"""Translations as two files of lines: line n of one is line n of the other.

The file that is named holds the source; the target is the file beside it whose name
differs in the language alone, such as `train.en.gz` and `train.de.gz`.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.data.roles import two_readings
from groundtune.data.rows import Row, RowError, decode_labelled, load_bytes, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from groundtune.data.rows import Report

_NAME = re.compile(
    r"(?P<stem>.+?)\.(?P<lang>[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?)(?P<end>\.txt)?(?P<gz>\.gz)?"
)
_NO_LANGUAGES = frozenset(
    {"csv", "tsv", "txt", "dev", "raw", "all", "gz", "dat", "log"}
)


def language_of(path: Path) -> str:
    """The language in a file's name, `en` of `train.en.gz`; empty where none is."""
    match = _NAME.fullmatch(path.name)
    if match is None or match["lang"] in _NO_LANGUAGES:
        return ""
    return match["lang"]


def sides(path: Path, *, given: Mapping[str, str]) -> dict[str, Path]:
    """Language to file, for all that belong together; the source first.

    Args:
        path: One of the files, or their name without a language.
        given: `source` and `target` as languages, where the person said them.

    Raises:
        DataError: No target is there, or several are and none was named.
    """
    stem = path.name
    if match := _NAME.fullmatch(path.name) if language_of(path) else None:
        stem = match["stem"]
    found: dict[str, Path] = {}
    for file in sorted(path.parent.glob("*")) if path.parent.is_dir() else []:
        other = _NAME.fullmatch(file.name)
        if other is not None and other["stem"] == stem and language_of(file):
            found.setdefault(other["lang"], file)
    for role in ("source", "target"):
        if role in given and given[role] not in found:
            raise DataError(
                f"no file {stem}.{given[role]} for the role {role!r}",
                fix=f"use one of {', '.join(sorted(found)) or 'none'}",
                where=str(path),
            )
    source = given.get("source") or language_of(path)
    others = [lang for lang in found if lang != source]
    target = given.get("target") or (others[0] if len(others) == 1 else "")
    if not source and target:
        rest = [lang for lang in found if lang != target]
        source = rest[0] if len(rest) == 1 else ""
    if source and target and source != target:
        return {source: found[source], target: found[target]}
    if not others:
        raise DataError(
            "lines of text, and no file beside it with their translation",
            fix=f"put {stem}.LANGUAGE beside it, line by line the same",
            where=str(path),
        )
    pairs = [
        f"source={one}, target={other}"
        for one in ([source] if source else found)
        for other in found
        if one != other
    ]
    raise two_readings(pairs, where=str(path))


def aligned_rows(
    files: Mapping[str, Path], *, report: Report = refuse
) -> Iterator[Row]:
    """One row a line, a column a language; placed in the source file.

    Raises:
        DataError: The files have different numbers of lines.
    """
    (source, source_path), (target, target_path) = files.items()
    one, other = (_lines(file) for file in (source_path, target_path))
    if len(one) != len(other):
        at = min(len(one), len(other)) + 1
        longer = source_path if len(one) > len(other) else target_path
        report(
            RowError(
                f"{source_path.name} has {len(one)} lines, {target_path.name} "
                f"{len(other)}: they are not aligned",
                "write both again line by line; the first line without a partner is "
                "where it ends, the fault may be above",
                f"{longer}:{at}",
                kind="not_aligned",
            )
        )
    pairs = zip_longest(one, other, fillvalue=None)
    for number, (text, translation) in enumerate(pairs, start=1):
        if text is not None and translation is not None:
            fields = {source: text, target: translation}
            yield Row(fields, f"{source_path}:{number}")


def _lines(path: Path) -> list[str]:
    text = decode_labelled(load_bytes(path), where=str(path)).text
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
