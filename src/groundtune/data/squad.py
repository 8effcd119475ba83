"""SQuAD JSON, v1.1 and v2.0: an article to a document, a question to a case.

`answer_start` is not used: it is often the first occurrence and so can be wrong. The
evidence of a case is the paragraph that it was asked about, which the document holds
verbatim.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.errors import DataError
from groundtune.core.values import Block, Document, QaCase
from groundtune.data.read_text import decode, whole_characters

if TYPE_CHECKING:
    from pathlib import Path

_PEEK_BYTES = 1 << 16
_FIX = "use the official layout: data, paragraphs, context, qas, question, answers"


class _Paragraph(NamedTuple):
    context: str
    questions: list[Any]
    where: str


class _Article(NamedTuple):
    title: str
    """Unique in the file: a second article of the same name gets a number."""
    paragraphs: list[_Paragraph]


def is_squad(path: Path) -> bool:
    """Whether the file begins as SQuAD JSON does; looks at its first 64 KiB only."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_PEEK_BYTES)
    except OSError:
        return False
    return looks_like_squad(start)


def looks_like_squad(raw: bytes) -> bool:
    """Whether bytes begin as SQuAD JSON does; looks at the first 64 KiB only."""
    head = raw[:_PEEK_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(b"{") and b'"data"' in head and b'"paragraphs"' in head


def read_squad_documents(path: Path) -> list[Document]:
    """One document per article: its title, then its paragraphs, blank lines between.

    Raises:
        DataError: The file is not SQuAD JSON.
    """
    return squad_documents(_read(path), name=path.name, where=str(path))


def squad_documents(raw: bytes, *, name: str, where: str) -> list[Document]:
    """`read_squad_documents` of bytes.

    Args:
        raw: The bytes of the file.
        name: The file, as the documents' metadata name it.
        where: The file, as an error names it.

    Raises:
        DataError: They are not SQuAD JSON.
    """
    return [_document(article, name) for article in _articles(raw, where=where)]


def read_squad_cases(path: Path) -> list[QaCase]:
    """One case per question, in file order, split by article.

    Raises:
        DataError: The file is not SQuAD JSON, or an answerable question has no answer.
    """
    return [
        _case(question, paragraph, title, f"{paragraph.where}.qas[{number}]")
        for title, paragraphs in _articles(_read(path), where=str(path))
        for paragraph in paragraphs
        for number, question in enumerate(paragraph.questions)
    ]


def _document(article: _Article, name: str) -> Document:
    title = article.title.replace("_", " ")
    parts = [title]
    blocks = [Block("heading", 0, len(title), 1)]
    length = len(title)
    for paragraph in article.paragraphs:
        start = length + 2
        length = start + len(paragraph.context)
        parts.append(paragraph.context)
        blocks.append(Block("paragraph", start, length))
    return Document(
        id=article.title,
        text="\n\n".join(parts),
        title=title,
        blocks=tuple(blocks),
        metadata={"path": name, "source_format": "squad"},
    )


def _case(raw: object, paragraph: _Paragraph, title: str, where: str) -> QaCase:
    question = _field(raw, "question", str, where).strip()
    identifier = str(_field(raw, "id", (str, int), where))
    assert isinstance(raw, dict), "checked with the first field"
    is_impossible = raw.get("is_impossible") is True
    answers: tuple[str, ...] = ()
    if not is_impossible:
        listed = _field(raw, "answers", list, where)
        texts = [_field(answer, "text", str, where).strip() for answer in listed]
        answers = tuple(dict.fromkeys(text for text in texts if text))
        if not answers:
            raise DataError(
                f"question {identifier!r} has no answer",
                fix='give it "answers", or mark it "is_impossible": true',
                where=where,
            )
    return QaCase(
        id=identifier,
        question=question,
        answers=answers,
        source=title,
        evidence=() if is_impossible else (paragraph.context,),
        answerable=not is_impossible,
        group=title,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            error.strerror or str(error), fix="check the path", where=str(path)
        ) from error


def _articles(raw: bytes, *, where: str) -> list[_Article]:
    try:
        root = json.loads(decode(raw, where=where))
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON: {error.msg}",
            fix="fetch or write the file again",
            where=f"{where}:{error.lineno}",
        ) from error
    except RecursionError as error:
        raise DataError("nested too deeply", fix=_FIX, where=where) from error
    articles: list[_Article] = []
    seen: dict[str, int] = {}
    for number, item in enumerate(_field(root, "data", list, where)):
        place = f"{where}: data[{number}]"
        title = _field(item, "title", str, place).strip() or f"article {number + 1}"
        seen[title] = seen.get(title, 0) + 1
        if seen[title] > 1:
            title = f"{title} ({seen[title]})"
        paragraphs = [
            _paragraph(entry, f"{place}.paragraphs[{index}]")
            for index, entry in enumerate(_field(item, "paragraphs", list, place))
        ]
        articles.append(_Article(title, paragraphs))
    if not articles:
        raise DataError("no articles in it", fix=_FIX, where=where)
    return articles


def _paragraph(raw: object, where: str) -> _Paragraph:
    # Stripped so that a paragraph's block and its evidence have no loose ends.
    context = _field(raw, "context", str, where).strip()
    return _Paragraph(context, _field(raw, "qas", list, where), where)


def _field(raw: object, key: str, kind: type | tuple[type, ...], where: str) -> Any:  # noqa: ANN401 (a JSON value of that kind)
    """A field of a JSON object, checked.

    Raises:
        DataError: It is missing or of another kind.
    """
    if not isinstance(raw, dict):
        raise DataError("not a JSON object", fix=_FIX, where=where)
    value = raw.get(key)
    if not isinstance(value, kind):
        what = "missing" if value is None else f"a {type(value).__name__}"
        raise DataError(f"{key!r} is {what}", fix=_FIX, where=where)
    if isinstance(value, str):
        return whole_characters(value, field=key, where=where)
    return value
