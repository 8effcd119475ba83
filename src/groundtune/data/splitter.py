"""Documents to passages: pure, deterministic, with exact offsets.

A passage is what a search returns and an answer cites, so it should say something by
itself: paragraphs stay whole where they fit, a heading stays with what it heads, and a
passage does not run from one chapter into the next. Lengths are counted with the
embedder's tokenizer, once for each block.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.values import Block, Passage, Span
from groundtune.data.read_markdown import heading_title
from groundtune.data.read_rst import rst_heading_title
from groundtune.data.read_text import paragraphs
from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundtune.config.splitter import SplitterSettings
    from groundtune.core.protocols import Tokenizer
    from groundtune.core.values import Document

_HEADING_TITLES = {"markdown": heading_title, "rst": rst_heading_title}
"""Formats whose headings stand in the text with their marks."""
_RECOUNT_MARGIN = 8
"""Some tokenizers see a text cut out of its surroundings a few tokens longer."""


class _Unit(NamedTuple):
    """A block, or a piece of one that is too large."""

    start: int
    end: int
    tokens: int
    gap: int
    """Tokens of the white space after it; most tokenizers of embedders see none."""
    path: tuple[str, ...]
    """Titles of the headings above it, its own included."""
    level: int
    """As of the block: above 0 for a heading."""


class _Draft(NamedTuple):
    """A passage to be."""

    span: Span
    path: tuple[str, ...]
    tokens: int
    """Upper estimate, counted block by block."""


def split_document(
    document: Document, *, tokenizer: Tokenizer, settings: SplitterSettings
) -> list[Passage]:
    """Cut a document into passages, in order.

    Without overlap every character that is not white space lies in exactly one passage.
    No passage has more than `settings.maximum` tokens. Equal documents and settings
    give equal passages and ids.
    """
    cutter = _Cutter(document.text, tokenizer, settings)
    units = list(_units(document, cutter))
    groups = _pack(units, settings)
    titles = {title for unit in units for title in unit.path}
    # A title that is also a heading stands in the paths of what is below it already.
    above = () if document.title in {"", *titles} else (document.title,)
    drafts = [
        _Draft(
            Span(group[0].start, group[-1].end),
            (*above, *_common_path(group)) or (document.title,),
            # Joined, each unit may count a token more than it did alone.
            sum(unit.tokens + unit.gap + 1 for unit in group),
        )
        for group in groups
    ]
    if settings.overlap_sentences:
        drafts = _overlapped(drafts, cutter)
    return [
        _passage(document, piece, path=draft.path, version=settings.version)
        for draft in drafts
        for piece in cutter.fitted(draft)
    ]


def passage_id(document: str, start: int, end: int, *, text: str, version: str) -> str:
    """Name of a passage: changes with its document, place, text or splitter version."""
    content = f"{document}\0{start}\0{end}\0{version}\0{text}"
    raw = content.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, digest_size=12).hexdigest()


def _passage(
    document: Document, span: Span, *, path: tuple[str, ...], version: str
) -> Passage:
    text = document.text[span.start : span.end]
    return Passage(
        id=passage_id(document.id, span.start, span.end, text=text, version=version),
        document=document.id,
        start=span.start,
        end=span.end,
        text=text,
        heading=" > ".join(path),
    )


class _Cutter:
    """Counts tokens in one text and cuts what is too large."""

    def __init__(
        self, text: str, tokenizer: Tokenizer, settings: SplitterSettings
    ) -> None:
        self.text = text
        self.settings = settings
        self._tokenizer = tokenizer

    def token_ends(self, start: int, end: int) -> list[int]:
        """Where each token of the part ends, in offsets of the text."""
        part = self.text[start:end]
        return [start + span.end for span in self._tokenizer.offsets(part)]

    def fitted(self, draft: _Draft) -> list[Span]:
        """The span of `draft`, or its parts where it is too large by itself."""
        if draft.tokens <= self.settings.maximum - _RECOUNT_MARGIN:
            return [draft.span]
        return self.cut(draft.span, target=self.settings.maximum, kind="paragraph")

    def cut(self, span: Span, *, target: int, kind: str) -> list[Span]:
        """Parts of `span` that fit, near `target`, at the best places there are.

        Lines for lists, tables and code; sentences for the rest; then words; then
        tokens. Parts are about equally large, so that none is a mere remainder.
        """
        ends = self.token_ends(*span)
        if len(ends) <= self.settings.maximum:
            return [span]
        count = -(-len(ends) // target)
        size = min(self.settings.maximum, -(-len(ends) // count) + target // 8)
        parts = self._joined(self._atoms(span, kind), ends, size)
        result: list[Span] = []
        for part in parts:
            tokens = _between(ends, *part)
            if tokens > self.settings.maximum:
                result.extend(self._cut_words(part, size))
            else:
                result.append(part)
        return result

    def _atoms(self, span: Span, kind: str) -> list[Span]:
        part = self.text[span.start : span.end]
        if kind in {"list", "table", "code"}:
            found: list[Span] = []
            position = 0
            for line in part.splitlines(keepends=True):
                if stripped := _strip(line):
                    found.append(
                        Span(position + stripped.start, position + stripped.end)
                    )
                position += len(line)
        else:
            found = sentence_spans(part)
        return [Span(span.start + start, span.start + end) for start, end in found]

    def _joined(
        self, atoms: Sequence[Span], ends: Sequence[int], size: int
    ) -> list[Span]:
        """Neighbouring atoms joined up to `size` tokens; a larger one stays alone."""
        joined: list[Span] = []
        for atom in atoms:
            if joined and _between(ends, joined[-1].start, atom.end) <= size:
                joined[-1] = Span(joined[-1].start, atom.end)
            else:
                joined.append(atom)
        return joined

    def _cut_words(self, span: Span, size: int) -> Iterator[Span]:
        """Cut at white space; in a run without any, between tokens."""
        position = span.start
        while position < span.end:
            ends = self.token_ends(position, span.end)
            if len(ends) <= size:
                yield Span(position, span.end)
                return
            stop = self._word_end(position, ends[size - 1], size)
            found = _strip(self.text[position:stop])
            if found:
                yield Span(position + found.start, position + found.end)
            position = stop
            while position < span.end and self.text[position].isspace():
                position += 1

    def _word_end(self, start: int, stop: int, size: int) -> int:
        """Last place up to `stop` at which the text may be cut."""
        if stop >= len(self.text) or self.text[stop].isspace():
            return stop
        for place in range(stop - 1, start, -1):
            if self.text[place].isspace():
                return place
        # Inside a word its parts may count more tokens than the word did.
        while (
            stop > start + 1
            and len(self.token_ends(start, stop)) > self.settings.maximum
        ):
            stop = start + max(1, (stop - start) * size // (size + 1))
        return max(stop, start + 1)


def _strip(text: str) -> Span | None:
    """Span of `text` without outer white space; None where nothing is left."""
    stripped = text.strip()
    if not stripped:
        return None
    start = len(text) - len(text.lstrip())
    return Span(start, start + len(stripped))


def _between(ends: Sequence[int], start: int, end: int) -> int:
    """How many tokens end in `(start, end]`."""
    return bisect_right(ends, end) - bisect_right(ends, start)


def _units(document: Document, cutter: _Cutter) -> Iterator[_Unit]:
    """Blocks with their headings and sizes; large ones in pieces."""
    headings: list[tuple[int, str]] = []
    clean = _HEADING_TITLES.get(document.metadata.get("source_format", ""))
    blocks = _whole(document)
    following = [*(block.start for block in blocks[1:]), len(document.text)]
    for block, stop in zip(blocks, following, strict=False):
        if block.kind == "heading":
            raw = document.text[block.start : block.end]
            title = clean(raw) if clean else " ".join(raw.split())
            while headings and headings[-1][0] >= block.level:
                headings.pop()
            headings.append((block.level, title))
        path = tuple(title for _, title in headings)
        ends = cutter.token_ends(block.start, stop)
        span = Span(block.start, block.end)
        total = _between(ends, block.start, block.end)
        gap = len(ends) - total
        level = block.level if block.kind == "heading" else 0
        if total <= cutter.settings.maximum:
            yield _Unit(*span, total, gap, path, level)
            continue
        pieces = cutter.cut(span, target=cutter.settings.target, kind=block.kind)
        for piece in pieces:
            tokens = max(1, _between(ends, *piece))
            yield _Unit(*piece, tokens, gap, path, level)
            level = 0


def _whole(document: Document) -> list[Block]:
    """The blocks, with paragraphs for text that no block covers, all trimmed.

    Metadata is left out, unless there is nothing else.
    """
    text = document.text
    found: list[Block] = []
    position = 0
    for block in document.blocks:
        found.extend(paragraphs(text, position, max(position, block.start)))
        start = max(position, block.start)
        if trimmed := _strip(text[start : block.end]):
            found.append(
                block._replace(start=start + trimmed.start, end=start + trimmed.end)
            )
        position = max(position, block.end)
    found.extend(paragraphs(text, position))
    return [block for block in found if block.kind != "metadata"] or found


def _pack(units: Sequence[_Unit], settings: SplitterSettings) -> list[list[_Unit]]:
    """Join neighbouring units into passages."""
    groups: list[list[_Unit]] = []
    group: list[_Unit] = []
    size = 0
    top = _top_level(units)
    for unit in units:
        total = size + (group[-1].gap if group else 0) + unit.tokens
        if group and not _may_join(group, unit, settings, total=total, top=top):
            groups.append(group)
            group, total = [], unit.tokens
        group.append(unit)
        size = total
    if group:
        groups.append(group)
    return _headed(groups, settings)


def _top_level(units: Sequence[_Unit]) -> int:
    """Level of the headings that divide the document: 0 where it has none.

    A single heading above all others is the title, so those below it divide.
    """
    levels = sorted(unit.level for unit in units if unit.level)
    if not levels:
        return 0
    if len(levels) > 1 and levels[0] < levels[1]:
        return levels[1]
    return levels[0]


def _may_join(
    group: Sequence[_Unit],
    unit: _Unit,
    settings: SplitterSettings,
    *,
    total: int,
    top: int,
) -> bool:
    """Whether `unit` belongs into the passage of `group`."""
    if total > settings.maximum:
        return False
    if all(member.level for member in group):
        return True
    size = sum(member.tokens for member in group)
    if unit.level:
        # A section below the chapters is joined on only while there is too little.
        return unit.level > top and size < settings.minimum
    if min(size, unit.tokens) < settings.minimum:
        return True
    return total <= settings.target


def _headed(
    groups: Sequence[list[_Unit]], settings: SplitterSettings
) -> list[list[_Unit]]:
    """Give headings that stand alone to the passage after them, or else before them."""
    result: list[list[_Unit]] = []
    for group in groups:
        before = result[-1] if result else None
        both = [*(before or []), *group]
        size = sum(unit.tokens + unit.gap for unit in both)
        lonely = before is not None and all(unit.level for unit in before)
        trailing = group is groups[-1] and all(unit.level for unit in group)
        if before is not None and (lonely or trailing) and size <= settings.maximum:
            before.extend(group)
        else:
            result.append(list(group))
    return result


def _common_path(group: Sequence[_Unit]) -> tuple[str, ...]:
    """The headings that all of a passage stands under."""
    bodies = [unit.path for unit in group if not unit.level]
    paths = bodies or [group[-1].path]
    common = paths[0]
    for path in paths[1:]:
        shared = 0
        while shared < min(len(common), len(path)) and common[shared] == path[shared]:
            shared += 1
        common = common[:shared]
    return common


def _overlapped(drafts: Sequence[_Draft], cutter: _Cutter) -> list[_Draft]:
    """Begin each passage some sentences early, within its section and the maximum."""
    result = list(drafts[:1])
    for before, draft in pairwise(drafts):
        extended = draft
        if before.path == draft.path:
            text = cutter.text[before.span.start : before.span.end]
            sentences = sentence_spans(text)
            for sentence in sentences[: -cutter.settings.overlap_sentences - 1 : -1]:
                span = Span(before.span.start + sentence.start, draft.span.end)
                tokens = len(cutter.token_ends(*span))
                if tokens > cutter.settings.maximum:
                    break
                extended = _Draft(span, draft.path, tokens)
        result.append(extended)
    return result
