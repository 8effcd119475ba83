"""What verbs print: JSON for programs, the same values as text for people."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.core.values import Answer, Hit, Span

_Command = TypeVar("_Command", bound="Callable[..., Any]")


def json_option(command: _Command) -> _Command:
    """Give a verb the flag `--json`, as its argument `as_json`."""
    flag = click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON value instead of text."
    )
    return flag(command)


def print_json(value: object) -> None:
    """Print one JSON value on standard output; paths become text."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    click.echo(text)


def hit_fields(hit: Hit) -> dict[str, Any]:
    """The fields of a hit that `search` and `ask` print."""
    return {
        "document": hit.passage.document,
        "start": hit.passage.start,
        "end": hit.passage.end,
        "text": hit.passage.text,
        "score": hit.score,
        "metadata": hit.metadata,
    }


def answer_fields(answer: Answer) -> dict[str, Any]:
    """The fields of an answer that `ask` prints."""
    return {
        "text": answer.text,
        "citations": [dataclasses.asdict(citation) for citation in answer.citations],
        "abstained": answer.abstained,
        "reason": answer.reason,
        "confidence": answer.confidence,
        "unsupported": list(answer.unsupported),
        "check": answer.check,
        "hits": [hit_fields(hit) for hit in answer.hits],
        "timings_ms": {
            "retrieve": answer.timing.retrieve_ms,
            "first_token": answer.timing.first_token_ms,
            "total": answer.timing.total_ms,
        },
    }


def citation_lines(answer: Answer) -> str:
    """One line per citation, such as `[1] moon.md:10-42  "..."`.

    Where an answer has several sentences, each stands above what supports it, and one
    that nothing supports says so.
    """
    spans = {c.sentence for c in answer.citations if c.sentence is not None}
    spans |= set(answer.unsupported)
    lines: list[str] = []
    above: Span | None = None
    numbered = [(c.sentence, number, c) for number, c in enumerate(answer.citations, 1)]
    missing = [(span, 0, None) for span in answer.unsupported]
    rows = [*numbered, *missing]
    for span, number, citation in sorted(rows, key=lambda row: (row[0] or (), row[1])):
        if span is not None and span != above and len(spans) > 1:
            lines.append(f'"{_plain(answer.text[span.start : span.end])}"')
            above = span
        lines.append(
            "[-] nothing in the passages supports this"
            if citation is None
            else f"[{number}] {citation.document}:{citation.start}-{citation.end}  "
            f'"{_plain(citation.text)}"'
        )
    return "\n".join(lines)


def _plain(text: str) -> str:
    return " ".join(text.split())


def hit_lines(hits: Sequence[Hit]) -> str:
    """Two lines per hit: where it stands and its score, then the passage."""
    return "\n\n".join(
        f"{h.score:.3f}  {h.passage.document}:{h.passage.start}-{h.passage.end}\n"
        f"  {' '.join(h.passage.text.split())}"
        for h in hits
    )
