"""Questions from structure: headings that ask, headings with a value, keys, tables.

What a reader of the document kept of its layout is used, and nothing else: blocks, the
marks of lists, and rows of tables as `data.tables` writes them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.core.values import Span
from groundtune.data.questions.drafts import (
    content_words,
    draft,
    one_line,
    words_of,
)
from groundtune.data.questions.phrases import (
    is_clean,
    is_named,
    plain_heading,
    subject_of,
    without_article,
)
from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundtune.core.values import Block, Document
    from groundtune.data.questions.drafts import Draft

_PAIR = re.compile(
    r"^[ \t]*(?:[-*+\u2022]|\d+[.)])?[ \t]*"
    r"(?P<marks>[*_`\"]{0,3})(?P<key>[^\W_][\w ./+'\u2019()-]{1,40}?)(?P=marks)"
    r"(?::(?P=marks)|(?P=marks):)[ \t]+(?P<value>\S[^\n]*)$",
    re.MULTILINE,
)
_CELL = re.compile(r"(?P<name>[^:;|]{1,60}): (?P<cell>[^;]+)(?:; |$)")
_BARE = re.compile(r"^[A-Za-z][\w ]*$")
_ASKS_OUT_OF_NOWHERE = re.compile(
    r"^(?:and|but|or|so|what about|how about|why not|ok|\()|\b(?:this|that|these|those|"
    r"it|me|you asked|above|below)\b",
    re.IGNORECASE,
)
_LEANING_START = re.compile(
    r"^(?:this|these|those|it|they|he|she|such|here|there|the answer|see|please|yes|no|"
    r"like|well|first|for (?:more|further|details))\b",
    re.IGNORECASE,
)
_CHATTER_TEXT = (
    "otherwise special cpython syntax math implementation add display "
    "note warning example tip caution important hint see todo summary answer q a "
    "examples notes usage output result changed new added deprecated removed "
    "version default availability raises returns since unless if when warnings "
)
_CHATTER = frozenset(_CHATTER_TEXT.split())
_TERM = re.compile(r"\S+|[A-Z0-9]\S*(?: (?:of |the |and |for )?[A-Z0-9]\S*){1,4}")
"""One word, or a name of several: what is followed by a description of it."""
_GIVES_REASON = re.compile(
    r"\b(?:because|since|so that|due to|in order to|reason|otherwise|would|could|"
    r"believes?|to (?:avoid|prevent|keep|make|allow|ensure))\b"
)
_MOST_HEADING_WORDS = 14
_MOST_VALUE_WORDS = 10
_MOST_KEY_WORDS = 6
_FEWEST_DESCRIBING = 3
_ARTICLE = re.compile(r"(?:an?|the)\s", re.IGNORECASE)
_MOST_ANSWER_WORDS = 24


def from_structure(document: Document, blocks: Sequence[Block]) -> Iterator[Draft]:
    """Drafts from headings, keys and tables, in order."""
    heading = ""
    for place, block in enumerate(blocks):
        after = blocks[place + 1] if place + 1 < len(blocks) else None
        if block.kind == "heading":
            heading = plain_heading(document.text[block.start : block.end])
            if after is not None and after.kind == "paragraph":
                last = blocks[place + 2] if place + 2 < len(blocks) else None
                yield from _heading(document, heading, after, last)
        elif block.kind in ("list", "paragraph"):
            yield from _pairs(document, block, heading=heading)
        elif block.kind == "table":
            yield from _table(document, block, heading=heading)


def _heading(
    document: Document, heading: str, below: Block, last: Block | None
) -> Iterator[Draft]:
    text = document.text[below.start : below.end]
    if not is_clean(heading) or text.rstrip().endswith(":"):
        return
    if heading.endswith("?"):
        yield from _asking(document, heading, below)
    elif last is None or last.kind == "heading":
        words = words_of(text)
        sentences = sentence_spans(text)
        if len(sentences) != 1 or not 1 <= len(words) <= _MOST_VALUE_WORDS:
            return
        if not re.search(r"\d", text) or not is_clean(text) or words[0] in _CHATTER:
            return
        yield from _of_key(
            document,
            Span(below.start, below.end),
            heading,
            value=text.strip().removesuffix("."),
            where="",
            rule="heading",
        )


def _asking(document: Document, heading: str, below: Block) -> Iterator[Draft]:
    """A heading that asks, and the first sentence that answers it."""
    if len(words_of(heading)) > _MOST_HEADING_WORDS or len(words_of(heading)) < 3:
        return
    if _ASKS_OUT_OF_NOWHERE.search(heading) or re.search(r"[.!?:;] ", heading):
        return
    text = document.text[below.start : below.end]
    first = sentence_spans(text)[0]
    answer = one_line(text[first.start : first.end])
    if not is_clean(answer) or len(words_of(answer)) > _MOST_ANSWER_WORDS:
        return
    if answer.endswith(("?", ":")) or _LEANING_START.match(answer):
        return
    if re.match(r"why\b", heading, re.IGNORECASE) and not _GIVES_REASON.search(answer):
        return
    # A first sentence that says nothing of what is asked leads up to the answer.
    if not content_words(heading) & content_words(answer):
        return
    asked = heading[0].lower() + heading[1:] if not is_named(heading[1:2]) else heading
    yield draft(
        document,
        Span(below.start + first.start, below.start + first.end),
        (
            heading,
            f"What do the documents say: {asked}",
            f"Please tell me: {asked}",
        ),
        answer=answer.removesuffix("."),
        rule="heading question",
    )


def _pairs(document: Document, block: Block, *, heading: str) -> Iterator[Draft]:
    """Lines and list items of the form `key: value`."""
    text = document.text[block.start : block.end]
    for found in _PAIR.finditer(text):
        key, value = one_line(found["key"]), found["value"]
        if (
            len(words_of(key)) > 5
            or words_of(key)[0] in _CHATTER
            or not is_clean(value)
        ):
            continue
        spans = sentence_spans(value)
        if not spans:
            continue
        said = value[spans[0].start : spans[0].end]
        if said.endswith((":", "?")) or len(words_of(said)) > _MOST_ANSWER_WORDS:
            continue
        start = block.start + found.start()
        start += len(found[0]) - len(found[0].lstrip())
        evidence = Span(start, block.start + found.start("value") + spans[0].end)
        answer = said.rstrip(" .;,")
        if _LEANING_START.match(answer) or subject_of(key) is None:
            continue
        if _ARTICLE.match(answer) and _TERM.fullmatch(key):
            yield _described(
                document,
                evidence,
                key,
                answer=answer,
                where=heading,
                asked="What is {}",
            )
        elif len(words_of(answer)) <= _MOST_KEY_WORDS and _is_value(key, answer):
            yield from _of_key(
                document, evidence, key, value=answer, where=heading, rule="key"
            )
        elif _TERM.fullmatch(key) and len(words_of(answer)) >= _FEWEST_DESCRIBING:
            yield _described(
                document,
                evidence,
                key,
                answer=answer,
                where=heading,
                asked="How is {} described",
            )


def _is_value(key: str, answer: str) -> bool:
    """Whether `Price: 30 crowns` is meant, rather than `clean: remove built files`."""
    return not is_named(key[1:]) and (
        bool(re.search(r"\d", answer)) or (key[0].isupper() and answer[0].isupper())
    )


def _described(
    document: Document,
    evidence: Span,
    key: str,
    *,
    answer: str,
    where: str,
    asked: str,
) -> Draft:
    """A key with a description of it."""
    ending = _ending(document, where)
    return draft(
        document,
        evidence,
        (
            f"{asked.format(key)}{ending}?",
            f"What do the documents say of {key}{ending}?",
            f"What is there to know of {key}{ending}?",
        ),
        answer=answer,
        rule="description",
    )


def _of_key(
    document: Document,
    evidence: Span,
    key: str,
    *,
    value: str,
    where: str,
    rule: str,
) -> Iterator[Draft]:
    if not _BARE.match(key) or len(words_of(key)) > 6:
        return
    name = key if any(c.isupper() for c in key[1:]) else key[0].lower() + key[1:]
    name = without_article(name)
    ending = _ending(document, where)
    yield draft(
        document,
        evidence,
        (
            f"What {_be(name)} the {name}{ending}?",
            f"What {_be(name)} given as the {name}{ending}?",
            f"Which {name} do the documents give{ending}?",
        ),
        answer=value,
        rule=rule,
    )


def _be(noun: str) -> str:
    return "are" if noun.endswith("s") and not noun.endswith(("ss", "us")) else "is"


def _ending(document: Document, heading: str) -> str:
    """Which part of which page is meant."""
    title = plain_heading(document.title)
    names = [name for name in dict.fromkeys((heading, title)) if 0 < len(name) <= 60]
    if not names or names[0].endswith("?"):
        names = names[1:]
    return f', according to "{names[0]}"' if names else ""


def _table(document: Document, block: Block, *, heading: str) -> Iterator[Draft]:
    """Rows whose cells have names: one question for each cell after the first."""
    text = document.text[block.start : block.end]
    for line in re.finditer(r"[^\n]+", text):
        cells = _row(line[0], text)
        if len(cells) < 2 or not all(is_clean(cell) for _, cell in cells):
            continue
        (_, row), *others = cells
        if not row or len(words_of(row)) > 6:
            continue
        evidence = Span(block.start + line.start(), block.start + line.end())
        for name, cell in others:
            column = name.strip()
            if not column or not 1 <= len(words_of(cell)) <= _MOST_VALUE_WORDS:
                continue
            if not any(c.isupper() for c in column[1:]):
                column = column[0].lower() + column[1:]
            ending = "" if is_named(row) else _ending(document, heading)
            yield draft(
                document,
                evidence,
                (
                    f"What {_be(column)} the {column} of {row}{ending}?",
                    f"For {row}, what {_be(column)} the {column}{ending}?",
                    f"Which {column} does {row} have{ending}?",
                ),
                answer=cell.strip(),
                rule="table",
            )


def _row(line: str, table: str) -> list[tuple[str, str]]:
    """Names and cells of a row; none where it has no names, or is the row of names."""
    if not line.lstrip().startswith("|"):
        return [
            (found["name"].strip(), found["cell"]) for found in _CELL.finditer(line)
        ]
    rows = [row for row in table.splitlines() if row.lstrip().startswith("|")]
    if len(rows) < 3 or not re.fullmatch(r"[\s|:-]+", rows[1]) or line in rows[:2]:
        return []
    names, cells = (
        [cell.strip() for cell in row.strip().strip("|").split("|")]
        for row in (rows[0], line)
    )
    return list(zip(names, cells, strict=False)) if len(names) == len(cells) else []
