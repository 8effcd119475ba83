"""The values that every room exchanges: plain, frozen, made of JSON types.

A document is cut into passages; a passage found for a query is a hit; the span of
a passage that an answer rests on is a citation. A case is one labelled input, and a
row is what one system did with one case. What computes them lives elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Arm = Literal["plain", "rag", "tuned", "both"]
ARMS: tuple[Arm, ...] = ("plain", "rag", "tuned", "both")


class Span(NamedTuple):
    """Half-open range of characters, `[start, end)`."""

    start: int
    end: int


class Block(NamedTuple):
    """One structural unit of a document, as its reader saw it."""

    kind: Literal["heading", "paragraph", "list", "code", "table", "metadata"]
    """`metadata` is text about the document, such as front matter: never a passage."""
    start: int
    """First character in `Document.text`."""
    end: int
    """One past the last character in `Document.text`."""
    level: int = 0
    """Depth of a heading, 1 at the top; 0 for everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The text of one source, with its structure.

    Offsets everywhere are characters of `text`, the reader's plain text: for a text or
    Markdown file that is the file itself, for HTML and PDF the extracted text.
    """

    id: str
    """Path relative to the ingested folder, with `/`, or the source's own name."""
    text: str
    title: str = ""
    blocks: tuple[Block, ...] = ()
    """In order, not overlapping; empty where the reader knows no structure."""
    metadata: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A cut of a document: `document.text[start:end] == text`."""

    id: str
    """Deterministic: a hash of document id, offsets, text and splitter version."""
    document: str
    start: int
    end: int
    text: str
    heading: str = ""
    """Title and headings above the passage, outermost first, joined by ` > `."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage found for a query."""

    passage: Passage
    score: float
    """Comparable only within one search; not a probability."""
    similarity: float | None = None
    """Cosine of query and passage, comparable between searches with one embedder; None
    where vectors were not compared."""
    metadata: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """The span of a document that an answer rests on."""

    document: str
    start: int
    end: int
    text: str
    """Equal to the document's text between the offsets."""
    sentence: Span | None = None
    """Which part of the answer's text it supports; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one answer cost. Deterministic, so it may stand in a row."""

    prompt_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one answer took, in milliseconds. Never part of a row."""

    retrieve_ms: float = 0.0
    first_token_ms: float = 0.0
    """From the start of generation, prompt included."""
    total_ms: float = 0.0
    """Retrieval and generation together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a system says to a case, and what it rests on."""

    text: str
    """The answer alone: citation marks are parsed out."""
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    """What was found."""
    read: tuple[Hit, ...] = ()
    """What of that stood in the prompt: passages, or sentences of them."""
    abstained: bool = False
    reason: str = ""
    """Why it abstained; empty otherwise."""
    unsupported: tuple[Span, ...] = ()
    """Sentences of `text` that no citation supports, where `check` looked for one."""
    check: str = ""
    """How citations were held against the evidence; empty: not at all."""
    logprob: float | None = None
    """Log probability of all that the model wrote, its end token included; None where
    the engine does not tell."""
    confidence: float | None = None
    """Calibrated: the score that answers like this one had on labelled cases, 0 to 1;
    None where nothing was calibrated."""
    usage: Usage = Usage()
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class QaCase:
    """One question with its accepted answers."""

    id: str
    question: str
    answers: tuple[str, ...]
    """Accepted wordings, the first preferred; empty if unanswerable."""
    source: str = ""
    """Document that holds the answer; empty where not known."""
    evidence: tuple[str, ...] = ()
    """Verbatim quotes of the source that hold the answer."""
    answerable: bool = True
    group: str = ""
    """Unit of splitting and resampling, such as an article; `source` where empty."""
    reviewed: bool = True
    """Whether a person wrote or accepted it; False for a draft nobody looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCase:
    """One text with its label, for sentiment and classification."""

    id: str
    text: str
    label: str
    """The name of the label, as the person wrote it; never a number made of it."""
    group: str = ""
    """Unit of splitting; the case alone where empty. So in every class below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityCase:
    """The words of one sentence, each with its tag, for named entities."""

    id: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    """BIO: `O`, `B-type` or `I-type`; as many as tokens."""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationCase:
    """A text and its translation."""

    id: str
    source: str
    target: str
    group: str = ""


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportCase:
    """A conversation whose last assistant turn is the reference."""

    id: str
    messages: tuple[Message, ...]
    intent: str = ""
    """What the customer wants, where the data says it."""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueCase:
    """A conversation that ends with a question, and the accepted answers to it."""

    id: str
    messages: tuple[Message, ...]
    """Turns of `user` and `assistant` in order; the last one is the user's."""
    answers: tuple[str, ...]
    """Accepted wordings, the first preferred."""
    source: str = ""
    """Document that holds the answer; empty where not known."""
    evidence: tuple[str, ...] = ()
    """Verbatim quotes of the source that hold the answer."""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryCase:
    """A document, or a query to a knowledge base, with summaries that people wrote."""

    id: str
    summaries: tuple[str, ...]
    """Accepted wordings, the first preferred."""
    document: str = ""
    query: str = ""
    """Empty where `document` is given, and the other way round."""
    group: str = ""


FactLabel = Literal["SUPPORTED", "REFUTED", "NOT_ENOUGH_INFO"]
FACT_LABELS: tuple[FactLabel, ...] = ("SUPPORTED", "REFUTED", "NOT_ENOUGH_INFO")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactCase:
    """A claim, and what the documents say about it."""

    id: str
    claim: str
    label: FactLabel
    evidence: tuple[str, ...] = ()
    """Verbatim quotes that decide it; empty where nothing does, or none is known."""
    source: str = ""
    """Document that decides it; empty where not known."""
    group: str = ""
