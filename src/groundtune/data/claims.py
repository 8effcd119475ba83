"""Files of claims to cases: what is claimed, its label, and which documents decide it.

    {"id", "claim", "label", "evidence"?, "source"?}    JSON Lines, JSON array, CSV, TSV
    the same, "evidence" a list of {"document", "quotes", "decides"?}    JSON alone
    {"id", "claim", "evidence": {document: [{"sentences", "label"}]}, "cited_doc_ids"}

The last is SciFact's form. Its evidence is numbers of sentences; their texts stand in
a file `corpus.jsonl` beside the claims, and without it only the documents are known.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.core.values import FactCase
from groundtune.data.rows import (
    Row,
    RowError,
    decode_labelled,
    json_array,
    json_lines,
    load_bytes,
    refuse,
    table_rows,
)
from groundtune.data.scifact import looks_like_claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from groundtune.core.values import FactLabel
    from groundtune.data.rows import Report

CORPUS = "corpus.jsonl"
"""File beside SciFact's claims with the sentences of each document."""

_LIKE = '{"claim": "...", "label": "SUPPORTED"}'
_WRITTEN: dict[FactLabel, str] = {
    "SUPPORTED": "supported supports support entailment true yes",
    "REFUTED": "refuted refutes refute contradict contradicts contradicted "
    "contradiction false no",
    "NOT_ENOUGH_INFO": "notenoughinfo notenoughinformation nei neutral unverifiable "
    "unknown",
}
_NAMES: dict[str, FactLabel] = {
    name: label for label, names in _WRITTEN.items() for name in names.split()
}
_MARKS = re.compile(r"[\s_-]+")


class DocumentEvidence(NamedTuple):
    """What one document says to a claim, as the file has it."""

    document: str
    quotes: tuple[str, ...]
    """Sentences that decide the claim, white space made single."""
    decides: bool
    """False: somebody looked there and found nothing that decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimData:
    """The cases of a file, and what is known of the documents behind them."""

    cases: tuple[FactCase, ...]
    """In file order."""
    evidence: Mapping[str, tuple[DocumentEvidence, ...]]
    """By case id; none where the file names no document."""
    format: str
    """`claims`, `scifact`, `csv` or `tsv`."""


def read_claims(path: Path, *, report: Report = refuse) -> ClaimData:
    """Read the claims of a file; the form is recognised by its content.

    Args:
        path: A file, plain or gzip.
        report: Told about each row that cannot become a case. The usual one raises.

    Raises:
        DataError: The file, or a row, is not in that form.
    """
    text, _ = decode_labelled(load_bytes(path), where=str(path))
    start = text.lstrip()[:1]
    form = "claims"
    if start == "[":
        rows: Iterable[Row] = json_array(text, path, like=_LIKE, report=report)
    elif start == "{":
        rows = json_lines(text, path, like=_LIKE, report=report)
    else:
        mark = "\t" if "\t" in text.split("\n", 1)[0] else ","
        form = "tsv" if mark == "\t" else "csv"
        rows = table_rows(text, path, delimiter=mark, report=report)
    found = list(rows)
    if found and looks_like_claims(found[0].fields):
        form = "scifact"
    sentences = _sentences(path.with_name(CORPUS)) if form == "scifact" else {}
    cases: list[FactCase] = []
    evidence: dict[str, tuple[DocumentEvidence, ...]] = {}
    for row in found:
        try:
            read = _scifact(row, sentences) if form == "scifact" else _plain(row)
            if read.case.id in evidence:
                raise RowError(
                    f"the id {read.case.id!r} was used before",
                    "give every claim an id of its own, or leave the ids out",
                    row.where,
                    "id",
                    "duplicate_id",
                )
        except RowError as error:
            report(error)
            continue
        cases.append(read.case)
        evidence[read.case.id] = read.evidence
    if not cases:
        raise DataError("no claims in it", fix=f"write {_LIKE}", where=str(path))
    return ClaimData(cases=tuple(cases), evidence=evidence, format=form)


def fact_label(written: object) -> FactLabel | None:
    """The label that a data set's own name of it means; None where it means none.

    Examples:
        >>> fact_label("Not enough info"), fact_label("CONTRADICT")
        ('NOT_ENOUGH_INFO', 'REFUTED')
    """
    return _NAMES.get(_MARKS.sub("", str(written)).casefold())


def single_spaced(text: str) -> str:
    """A text with each run of white space as one space."""
    return " ".join(text.split())


class _Read(NamedTuple):
    case: FactCase
    evidence: tuple[DocumentEvidence, ...]


def _plain(row: Row) -> _Read:
    claim = _claim(row)
    written = row.fields.get("label")
    label = fact_label(written)
    if label is None:
        raise RowError(
            "no label" if written in {None, ""} else f"unknown label {written!r}",
            "write SUPPORTED, REFUTED or NOT_ENOUGH_INFO",
            row.where,
            "label",
            "unknown_label",
        )
    source = str(row.fields.get("source") or "").strip()
    decides = label != "NOT_ENOUGH_INFO"
    listed = _documents(row, decides=decides)
    if listed:
        return _Read(_case(row, claim, label, listed), listed)
    quotes = tuple(_quotes(row))
    known = (DocumentEvidence(source, quotes, decides),) if source or quotes else ()
    return _Read(_case(row, claim, label, known), known)


def _documents(row: Row, *, decides: bool) -> tuple[DocumentEvidence, ...]:
    """Evidence that names a document in each of its entries; none in other forms."""
    value: Any = row.fields.get("evidence")
    if not isinstance(value, list) or not value:
        return ()
    entries = cast("list[Any]", value)
    if not all(isinstance(one, dict) for one in entries):
        return ()
    found: list[DocumentEvidence] = []
    for one in cast("list[dict[str, Any]]", entries):
        quotes: Any = one.get("quotes", [])
        document = one.get("document")
        if not isinstance(document, str) or not isinstance(quotes, list):
            raise RowError(
                "an entry of the evidence has no document, or no list of quotes",
                'write {"document": "a.md", "quotes": ["a sentence of it"]}',
                row.where,
                "evidence",
                "bad_evidence",
            )
        texts = tuple(single_spaced(str(each)) for each in cast("list[Any]", quotes))
        found.append(
            DocumentEvidence(document, texts, bool(one.get("decides", decides)))
        )
    return tuple(found)


def _quotes(row: Row) -> list[str]:
    """Quotes of the field `evidence`: a text, a JSON list in a table, or a list."""
    value: Any = row.fields.get("evidence")
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    if value is None or value == "":
        return []
    listed = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in listed):
        raise RowError(
            "the evidence is no text and no list of texts",
            'write "evidence": ["a sentence of the document"]',
            row.where,
            "evidence",
            "bad_evidence",
        )
    return [single_spaced(one) for one in listed if one.strip()]


def _scifact(row: Row, sentences: Mapping[str, Sequence[str]]) -> _Read:
    claim = _claim(row)
    raw: Any = row.fields.get("evidence")
    entries = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    labels: dict[FactLabel, None] = {}
    known: list[DocumentEvidence] = []
    for document, sets in entries.items():
        chosen: set[int] = set()
        for one in cast("list[Any]", sets) if isinstance(sets, list) else []:
            fields = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
            label = fact_label(fields.get("label"))
            if label is None:
                raise RowError(
                    f"unknown label {fields.get('label')!r}",
                    "write SUPPORT or CONTRADICT",
                    row.where,
                    "evidence",
                    "unknown_label",
                )
            labels[label] = None
            numbers = cast("list[Any]", fields.get("sentences") or [])
            chosen.update(number for number in numbers if isinstance(number, int))
        texts = sentences.get(document, ())
        quotes = [single_spaced(texts[n]) for n in sorted(chosen) if n < len(texts)]
        known.append(DocumentEvidence(document, tuple(quotes), decides=True))
    if len(labels) > 1:
        raise RowError(
            f"its evidence disagrees: {', '.join(labels)}",
            "keep the evidence of one label",
            row.where,
            "evidence",
            "label_conflict",
        )
    cited: Any = row.fields.get("cited_doc_ids")
    known += [
        DocumentEvidence(str(document), (), decides=False)
        for document in cast("list[Any]", cited if isinstance(cited, list) else [])
        if str(document) not in entries
    ]
    named: list[FactLabel] = [*labels, "NOT_ENOUGH_INFO"]
    return _Read(_case(row, claim, named[0], known), tuple(known))


def _claim(row: Row) -> str:
    claim = row.fields.get("claim")
    if not isinstance(claim, str) or not claim.strip():
        raise RowError(
            "no claim", f"write {_LIKE}", row.where, "claim", kind="empty_text"
        )
    return single_spaced(claim)


def _case(
    row: Row, claim: str, label: FactLabel, known: Sequence[DocumentEvidence]
) -> FactCase:
    written = row.fields.get("id")
    identifier = "" if written is None else str(written).strip()
    source = next((one.document for one in known if one.document), "")
    return FactCase(
        id=identifier or text_sha256(json.dumps([claim, label]))[:12],
        claim=claim,
        label=label,
        evidence=tuple(quote for one in known if one.decides for quote in one.quotes),
        source=source,
        group=str(row.fields.get("group") or "").strip() or source,
    )


def _sentences(corpus: Path) -> dict[str, list[str]]:
    """Sentences of each document of a corpus; none where there is no such file."""
    if not corpus.is_file():
        return {}
    text, _ = decode_labelled(load_bytes(corpus), where=str(corpus))
    found: dict[str, list[str]] = {}
    for row in json_lines(text, corpus, like='{"_id": "1", "sentences": ["..."]}'):
        name = row.fields.get("_id", row.fields.get("doc_id"))
        listed = row.fields.get("sentences", row.fields.get("abstract"))
        if isinstance(listed, list):
            texts = cast("list[Any]", listed)
            found[str(name)] = [one for one in texts if isinstance(one, str)]
    return found
