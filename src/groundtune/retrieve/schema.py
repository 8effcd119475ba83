"""The table of passages: its columns, and the way to and from our values.

A document is known to the engine by its `key`, a hash: no name that a person chose ever
becomes part of a filter. Each row repeats what is known of its document, so one commit
carries both and they cannot disagree.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.errors import StoreError
from groundtune.core.fingerprint import canonical_json, text_sha256
from groundtune.core.values import Block, Document, Hit, Passage
from groundtune.data.languages import guess_language
from groundtune.retrieve.words import DEFAULT_LANGUAGE, language_code, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

_SHOWN = ["id", "document", "start", "end", "text", "heading", "metadata"]
"""What of a row reaches a person or a prompt."""
PASSAGE_COLUMNS = [*_SHOWN, "seal"]
HIT_COLUMNS = PASSAGE_COLUMNS
CATALOGUE_COLUMNS = ["document", "content", "text_hash", "source"]
TERMS, TERMS_INDEX = "terms", "terms_idx"
"""Column that the BM25 index is made over, and the name that the engine gives it."""
VECTOR, VECTOR_INDEX = "vector", "vector_idx"


class StoredDocument(NamedTuple):
    """What a knowledge base knows of a document without reading it."""

    id: str
    content: str
    """SHA-256 of everything but its name; names the file that holds it."""
    text_hash: str
    """SHA-256 of its text; a moved file is known by it."""
    source: str
    """File that it was read from, as its reader named it."""
    passages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDocument:
    """A document ready to be written."""

    id: str
    content: str
    text_hash: str
    source: str
    blob: str
    """What `unpack_document` reads."""
    metadata: str = "{}"
    """What filters and hits see of it: a JSON object of texts."""
    lang: str = DEFAULT_LANGUAGE
    """Language by which its words are stemmed."""
    passages: tuple[Passage, ...] = field(default=(), repr=False)


def document_key(document: str) -> str:
    """The hash by which filters name a document: hexadecimal, whatever its name is."""
    return hashlib.sha256(document.encode()).hexdigest()[:32]


def keys_filter(documents: Iterable[str]) -> str:
    """A filter for all rows of these documents. Made of hexadecimal digits only."""
    keys = ",".join(f"'{document_key(document)}'" for document in documents)
    return f"key IN ({keys})"


def search_text(passage: Passage) -> str:
    """What is indexed and embedded: a passage below its headings."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def pack_document(document: Document) -> PreparedDocument:
    """Serialise a document without its name; passages are to be added."""
    metadata = dict(document.metadata)
    source = metadata.pop("path", document.id)
    blob = canonical_json(
        {
            "title": document.title,
            "text": document.text,
            "blocks": [list(block) for block in document.blocks],
            "metadata": metadata,
        }
    )
    known = dict(metadata)
    if document.title:
        known.setdefault("title", document.title)
    # A language that the reader gave is believed; one that is guessed may be unknown.
    lang = language_code(known.get("lang", "")) or guess_language(document.text)
    if lang:
        known["lang"] = lang
    return PreparedDocument(
        id=document.id,
        content=text_sha256(blob),
        text_hash=text_sha256(document.text),
        source=source,
        blob=blob,
        metadata=json.dumps(known, sort_keys=True, ensure_ascii=False),
        lang=lang or DEFAULT_LANGUAGE,
    )


def unpack_document(blob: str, *, known: StoredDocument) -> Document:
    """The document that `pack_document` serialised, under its name."""
    raw = json.loads(blob)
    return Document(
        id=known.id,
        text=raw["text"],
        title=raw["title"],
        blocks=tuple(Block(*block) for block in raw["blocks"]),
        metadata={**raw["metadata"], "path": known.source},
    )


def table_schema(dim: int) -> Any:  # noqa: ANN401 (pyarrow has no types)
    """Columns of the table of passages."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    return pa.schema(
        [
            pa.field("id", text, nullable=False),
            pa.field("key", text, nullable=False),
            pa.field("document", text, nullable=False),
            pa.field("content", text, nullable=False),
            pa.field("text_hash", text, nullable=False),
            pa.field("source", text, nullable=False),
            pa.field("start", number, nullable=False),
            pa.field("end", number, nullable=False),
            pa.field("text", text, nullable=False),
            pa.field("seal", text, nullable=False),
            pa.field("heading", text, nullable=False),
            pa.field("search_text", text, nullable=False),
            pa.field("lang", text, nullable=False),
            pa.field("metadata", text, nullable=False),
            pa.field("terms", text, nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def to_table(
    documents: Sequence[PreparedDocument], vectors_P_D: npt.NDArray[np.float32]
) -> Any:  # noqa: ANN401 (pyarrow has no types)
    """Rows of documents whose passages, in order, have these vectors."""
    import pyarrow as pa

    dim = int(vectors_P_D.shape[1])
    rows: list[dict[str, Any]] = [
        {
            "id": passage.id,
            "key": document_key(document.id),
            "document": document.id,
            "content": document.content,
            "text_hash": document.text_hash,
            "source": document.source,
            "start": passage.start,
            "end": passage.end,
            "text": passage.text,
            "heading": passage.heading,
            "search_text": search_text(passage),
            "lang": document.lang,
            "metadata": document.metadata,
            "terms": terms(search_text(passage), [document.lang]),
        }
        for document in documents
        for passage in document.passages
    ]
    for row in rows:
        row["seal"] = _seal(row)
    assert len(rows) == len(vectors_P_D), "one vector for each passage"
    schema = table_schema(dim)
    plain = pa.Table.from_pylist(rows, schema=schema.remove(len(schema) - 1))
    flat = pa.array(vectors_P_D.reshape(-1), pa.float32())
    vectors = pa.FixedSizeListArray.from_arrays(flat, dim)
    return plain.append_column(schema.field("vector"), vectors)


def vectors_of(
    table: Any,  # noqa: ANN401 (pyarrow has no types)
    *,
    dim: int,
) -> npt.NDArray[np.float32]:
    """The vectors of a table, one row for each of its rows, not writable."""
    column: Any = table.column("vector").combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)


def _seal(row: Mapping[str, Any]) -> str:
    """Hash of all that is shown of a row."""
    return text_sha256(canonical_json([row[name] for name in _SHOWN]))


def to_passage(row: Mapping[str, Any], *, where: str) -> Passage:
    """A row as a passage, checked against the hash that it was stored with.

    Raises:
        StoreError: It is not what was stored: the disk or a program changed it.
    """
    if _seal(row) != row["seal"]:
        raise StoreError(
            f"a passage of {row['document']!r} is damaged: it does not match its hash",
            fix=f"check the disk, then groundtune kb rebuild {where}",
            where=where,
        )
    return Passage(
        id=row["id"],
        document=row["document"],
        start=row["start"],
        end=row["end"],
        text=row["text"],
        heading=row["heading"],
    )


def to_hit(
    row: Mapping[str, Any],
    *,
    score: float,
    similarity: float | None = None,
    where: str,
) -> Hit:
    """A row as a hit; see `to_passage`.

    Raises:
        StoreError: The text is not what was stored.
    """
    passage = to_passage(row, where=where)
    return Hit(
        passage=passage,
        score=score,
        similarity=similarity,
        metadata=json.loads(row["metadata"]),
    )
