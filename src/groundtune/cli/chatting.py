"""The verb chat: a conversation in the terminal, or turns from standard input."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import (
    ANY_PATH,
    EXISTING,
    embedder_option,
    example,
    generator_option,
    passages_option,
    retrieval_options,
    runtime_option,
)
from groundtune.cli.output import (
    answer_fields,
    citation_lines,
    json_option,
    print_json,
)
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundtune.augment.rewriting import RewriteMode, Standalone
    from groundtune.recipes.chat import ChatTurn, Conversation

_NEW, _QUIT = "/new", "/quit"
_PROMPT = "> "
_UNCALIBRATED = "not calibrated: how sure an answer of chat is cannot be said"


@click.command(epilog=example("groundtune chat --kb handbook --history leave.jsonl"))
@click.option(
    "--kb", required=True, type=EXISTING, help="Folder of the knowledge base."
)
@generator_option
@click.option(
    "--history",
    type=ANY_PATH,
    help="File to keep the conversation in, and to go on from.",
)
@click.option(
    "--history-tokens",
    default=512,
    show_default=True,
    type=click.IntRange(min=0),
    help="Tokens of the conversation that a turn is read in, at most.",
)
@click.option(
    "--rewrite",
    default="rules",
    show_default=True,
    type=click.Choice(["rules", "model", "none"]),
    help="How a follow-up question is made to stand alone for the search.",
)
@passages_option
@runtime_option
@retrieval_options
@embedder_option
@json_option
def chat(
    *,
    kb: Path,
    model: str,
    history: Path | None,
    history_tokens: int,
    rewrite: RewriteMode,
    k: int | None,
    where: str,
    runtime: str,
    embedder: str,
    as_json: bool,
    **changes: Any,  # noqa: ANN401 (settings of retrieval, each of its own type)
) -> None:
    """Talk with a knowledge base: several turns, each with citations.

    A question that leans on what was said before is searched for with the words that
    it leaves out, and that query is shown above its answer. A turn that begins another
    topic is searched for by itself.

    /new begins another conversation, /quit or Ctrl-D ends, and Ctrl-C stops an answer.
    Turns may also come from standard input, one a line; with --json that is where they
    come from, and one value with all of them is printed at the end.
    """
    from groundtune.recipes.chat import chat as chat_recipe
    from groundtune.retrieve.settings import chosen_settings

    with ProgressDisplay() as progress:
        conversation = chat_recipe(
            kb=kb,
            model=model,
            embedder=embedder,
            k=k,
            where=where,
            settings=chosen_settings(kb, **changes),
            runtime=runtime,
            rewrite=rewrite,
            history=history,
            history_tokens=history_tokens,
            progress=progress,
        )
    with conversation:
        if as_json:
            print_json({"turns": list(_answered(conversation))})
            return
        click.echo(_UNCALIBRATED, err=True)
        if conversation.turns:
            click.echo(f"going on after {_turns(len(conversation.turns))}", err=True)
        _talk(conversation)


def _answered(conversation: Conversation) -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        said = line.strip()
        if said == _QUIT:
            return
        if said == _NEW:
            conversation.begin_anew()
        elif said:
            yield _fields(conversation.say(said))


def _fields(turn: ChatTurn) -> dict[str, Any]:
    query = turn.standalone
    return {
        "question": turn.question,
        "query": query.text,
        "rewritten_by": query.by,
        "new_topic": query.new_topic,
        "refused": query.refused,
        "answer": answer_fields(turn.answer),
    }


def _talk(conversation: Conversation) -> None:
    """Take turns until the input ends."""
    while True:
        try:
            said = _next_line()
        except (EOFError, KeyboardInterrupt):
            _close_line()
            return
        if said == _QUIT:
            return
        if said == _NEW:
            conversation.begin_anew()
            click.echo("a new conversation", err=True)
        elif said:
            _answer(conversation, said)


def _next_line() -> str:
    """What is said next.

    Raises:
        EOFError: Nothing any more.
    """
    if sys.stdin.isatty() and sys.stdout.isatty():
        import_module("readline")  # gives `input` its editing
        return input(_PROMPT).strip()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    click.echo(f"{_PROMPT}{line.strip()}")
    return line.strip()


def _close_line() -> None:
    if sys.stdin.isatty() and sys.stdout.isatty():
        click.echo()


def _answer(conversation: Conversation, said: str) -> None:
    streamed: list[str] = []

    def show(text: str) -> None:
        streamed.append(text)
        click.echo(text, nl=False)

    on_text = show if sys.stdout.isatty() else None
    try:
        turn = conversation.say(said, on_text=on_text, on_query=_show_query)
    except KeyboardInterrupt:
        click.echo()
        click.echo("stopped: this turn is not kept", err=True)
        return
    if not streamed:
        click.echo(turn.answer.text, nl=False)
    click.echo()
    if turn.answer.abstained:
        click.echo(f"(no answer: {turn.answer.reason})")
    if lines := citation_lines(turn.answer):
        click.echo(lines)


def _show_query(query: Standalone) -> None:
    if query.new_topic:
        click.echo("(another topic: searching without what was said before)")
    elif query.by != "none" and query.text:
        click.echo(f"(searching: {query.text})")


def _turns(count: int) -> str:
    return f"{count} turn{'' if count == 1 else 's'}"
