"""The verb that sums up: summarize."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import (
    EXISTING,
    embedder_option,
    example,
    retrieval_options,
    runtime_option,
)
from groundtune.cli.output import answer_fields, json_option, print_json
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.values import Citation, Span
    from groundtune.systems.summarizer import Summary


@click.command(
    epilog=example('groundtune summarize --kb handbook "parental leave" --words 80'),
)
@click.argument("topic", default="")
@click.option(
    "--kb", type=EXISTING, help="Knowledge base that is asked about the topic."
)
@click.option("--file", type=EXISTING, help="Document to sum up, of any length.")
@click.option(
    "--words",
    type=click.IntRange(min=1),
    default=None,
    help="How long the summary is to be, give or take 15 % or ten words.  [default: "
    "100, or what a tuned model learned]",
)
@click.option(
    "--model",
    default="",
    help="Generator that writes it, as for `ask`.  [default: "
    "none; the summary is made of sentences of the documents]",
)
@click.option(
    "--mark",
    "keeps_unsupported",
    is_flag=True,
    help="Keep what a model wrote and no source bears out, and mark it.",
)
@runtime_option
@retrieval_options
@embedder_option
@json_option
def summarize(
    *,
    topic: str,
    kb: Path | None,
    file: Path | None,
    words: int | None,
    model: str,
    keeps_unsupported: bool,
    runtime: str,
    where: str,
    embedder: str,
    as_json: bool,
    **changes: Any,  # noqa: ANN401 (settings of retrieval, each of its own type)
) -> None:
    """Sum up a document, or what a knowledge base says of a topic, with sources.

    Every sentence names the document and the characters in it that bear it out. What
    a model writes is given only where the documents bear it out and it has the length
    that was asked for; else, and without a model, the summary is made of sentences of
    the documents. The last line says which it was.
    """
    from groundtune.recipes.summarize import summarize as summarize_recipe
    from groundtune.retrieve.settings import chosen_settings

    with ProgressDisplay() as progress:
        made = summarize_recipe(
            topic,
            kb=kb,
            file=file,
            words=words,
            model=model,
            keeps_unsupported=keeps_unsupported,
            embedder=embedder,
            where=where,
            settings=chosen_settings(kb, **changes) if kb is not None else None,
            runtime=runtime,
            progress=progress,
        )
    if as_json:
        print_json(_fields(made))
    else:
        click.echo(_shown(made))


def _fields(made: Summary) -> dict[str, Any]:
    return {
        **answer_fields(made.answer),
        "method": made.method,
        "why": made.why,
        "words": made.words,
        "words_asked": made.wanted,
        "parts": made.parts,
        "rounds": made.rounds,
    }


def _shown(made: Summary) -> str:
    """A sentence a line with the numbers of its sources, then these, then how."""
    answer = made.answer
    if answer.abstained:
        return f"(no summary: {answer.reason})"
    numbers: dict[Span, list[int]] = {span: [] for span in answer.unsupported}
    for number, citation in enumerate(answer.citations, start=1):
        assert citation.sentence is not None, "each stands for a sentence of its own"
        numbers.setdefault(citation.sentence, []).append(number)
    lines = [
        f"{answer.text[span.start : span.end]} {_marks(numbers[span])}"
        for span in sorted(numbers)
    ]
    sources = [
        _source(number, citation, says_it=made.method == "abstractive")
        for number, citation in enumerate(answer.citations, start=1)
    ]
    asked = f" of {made.wanted}" if made.wanted is not None else ""
    count = len({citation.document for citation in answer.citations})
    documents = "1 document" if count == 1 else f"{count} documents"
    how = f"{made.method}: {made.words}{asked} words from {documents} ({made.why})"
    return "\n".join([*lines, "", *sources, "", how])


def _marks(numbers: list[int]) -> str:
    return "".join(f"[{number}]" for number in numbers) or "[no source]"


def _source(number: int, citation: Citation, *, says_it: bool) -> str:
    """Where a sentence stands; with its words, where these are not the summary's."""
    place = f"[{number}] {citation.document}:{citation.start}-{citation.end}"
    return f'{place}  "{" ".join(citation.text.split())}"' if says_it else place
