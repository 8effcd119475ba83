"""A BEIR folder: documents, queries, and which document is relevant to which query.

    corpus.jsonl        {"_id", "title", "text"}
    queries.jsonl       {"_id", "text"}
    qrels/test.tsv      query-id, corpus-id, score; also train.tsv and dev.tsv

Questions with answers are in `cases`; a collection like this one knows only documents.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.errors import DataError
from groundtune.core.values import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CORPUS, _QUERIES, _QRELS = "corpus.jsonl", "queries.jsonl", "qrels"

Judgements = dict[str, dict[str, float]]
"""Query id → document id → relevance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeirFolder:
    """A collection on disk: queries and judgements read, documents read when asked."""

    path: Path
    queries: Mapping[str, str]
    """Text of each query by its id."""
    qrels: Mapping[str, Judgements]
    """Judgements of each split that the folder has, such as `test`."""

    def documents(self) -> Iterator[Document]:
        """Every document with text, in the order of the file.

        The title is the document's title, so that it stands above each passage. One
        that has a title alone is read as that; one that has neither is left out.

        Raises:
            DataError: A line is not a document, or an id was used before.
        """
        seen: set[str] = set()
        for raw, where in _json_lines(self.path / _CORPUS):
            name, title, text = (_text(raw, key, where) for key in _FIELDS)
            if name in seen:
                raise DataError(
                    f"the id {name!r} was used before",
                    fix="give every document an id of its own",
                    where=where,
                )
            seen.add(name)
            body = text if text.strip() else title
            if body.strip():
                yield Document(
                    id=name,
                    text=body,
                    title=title.strip() if body is text else "",
                    metadata={"path": name},
                )

    def judged(self, split: str) -> Judgements:
        """Judgements of a split, for queries that have a text.

        Raises:
            DataError: The folder has no such split.
        """
        if split not in self.qrels:
            raise DataError(
                f"no judgements for the split {split!r}",
                fix=f"use one of {', '.join(sorted(self.qrels))}",
                where=str(self.path / _QRELS),
            )
        return self.qrels[split]


_FIELDS = ("_id", "title", "text")


def read_beir(path: Path) -> BeirFolder:
    """Open a BEIR folder; the documents are not read yet.

    Raises:
        DataError: A file is missing or not in that form; names the line and the fix.
    """
    for name in (_CORPUS, _QUERIES, _QRELS):
        if not (path / name).exists():
            raise DataError(
                f"a BEIR folder has {_CORPUS}, {_QUERIES} and {_QRELS}/; there is no "
                f"{name}",
                fix="name the folder that holds them",
                where=str(path),
            )
    queries = {
        _text(raw, "_id", where): _text(raw, "text", where)
        for raw, where in _json_lines(path / _QUERIES)
    }
    files = sorted((path / _QRELS).glob("*.tsv"))
    if not files:
        raise DataError(
            "no judgements",
            fix="put test.tsv there, with query-id, corpus-id and score",
            where=str(path / _QRELS),
        )
    qrels = {file.stem: _judgements(file, queries) for file in files}
    return BeirFolder(path=path, queries=queries, qrels=qrels)


def _judgements(path: Path, queries: Mapping[str, str]) -> Judgements:
    found: Judgements = {}
    for number, line in _lines(path):
        cells = line.rstrip("\r").split("\t")
        if number == 1 and cells[0] == "query-id":
            continue
        try:
            query, document, score = cells[0], cells[1], float(cells[2])
        except (IndexError, ValueError) as error:
            raise DataError(
                "not a judgement",
                fix="write query-id, corpus-id and score with tabs between them",
                where=f"{path}:{number}",
            ) from error
        if query not in queries:
            raise DataError(
                f"judges the query {query!r}, which {_QUERIES} does not hold",
                fix="add the query, or remove this line",
                where=f"{path}:{number}",
            )
        found.setdefault(query, {})[document] = score
    if not found:
        raise DataError("it judges nothing", fix="add lines to it", where=str(path))
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of lines that are not blank.

    Split at line feeds alone: a JSON string may hold other line ends.
    """
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"not readable as UTF-8 text: {error}",
            fix="check the file",
            where=str(path),
        ) from error


def _json_lines(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for number, line in _lines(path):
        where = f"{path}:{number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"not JSON: {error}", fix="correct or delete this line", where=where
            ) from error
        if not isinstance(value, dict):
            raise DataError(
                "not a JSON object",
                fix='write {"_id": "...", "text": "..."}',
                where=where,
            )
        yield cast("dict[str, Any]", value), where


def _text(raw: Mapping[str, Any], key: str, where: str) -> str:
    value = raw.get(key, "" if key == "title" else None)
    if key == "_id" and isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or (key == "_id" and not value):
        raise DataError(
            f"{key} is {value!r}, not a text",
            fix=f'write "{key}": "..."',
            where=where,
        )
    return value
