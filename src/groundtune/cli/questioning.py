"""The verb that drafts test questions and opens them for review: questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundtune.cli.options import ANY_PATH, example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay
from groundtune.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundtune.data.questions.file import Fact
    from groundtune.recipes.questions import (
        Decision,
        QuestionsReport,
        ReviewReport,
    )

_KEYS = "[a]ccept  [e]dit  [r]eject  [q]uit"


@click.command(
    epilog=example("groundtune questions --kb handbook --out drafts.jsonl --limit 100")
)
@click.option("--kb", default=None, type=ANY_PATH, help="Knowledge base to draft from.")
@click.option(
    "--out", required=True, type=ANY_PATH, help="File of the cases, JSON Lines."
)
@click.option(
    "--limit",
    default=None,
    type=click.IntRange(min=1),
    help="At most so many facts, spread over documents and kinds.  [default: all]",
)
@click.option("--seed", default=0, show_default=True, help="Of what --limit takes.")
@click.option(
    "--model",
    default="",
    help="Generator that is asked without the documents; what it answers is left out. "
    " [default: none]",
)
@click.option(
    "--review",
    "is_review",
    is_flag=True,
    help="Look through the drafts of --out, one by one; go on where you left off.",
)
@json_option
def questions(
    *,
    kb: Path | None,
    out: Path,
    limit: int | None,
    seed: int,
    model: str,
    is_review: bool,
    as_json: bool,
) -> None:
    """Draft test questions from the documents, and review them.

    Questions are made by rule from definitions, headings, keys, tables, names, dates
    and figures: each in several wordings, with the sentence that answers it. They are
    cases for `compare`, `calibrate` and `optimize`, marked as not reviewed until you
    have looked at them.
    """
    from groundtune.recipes.questions import questions as questions_recipe
    from groundtune.recipes.questions import review

    if is_review:
        if kb is not None:
            raise click.UsageError("--review reads --out alone: leave --kb out")
        reviewed = review(out, _asked)
        if as_json:
            print_json(reviewed.to_json())
        else:
            click.echo(_reviewed(reviewed, out))
        return
    if kb is None:
        raise click.UsageError("give --kb to draft from, or --review")
    with ProgressDisplay() as progress:
        made = questions_recipe(
            kb=kb, out=out, limit=limit, seed=seed, model=model, progress=progress
        )
    if as_json:
        print_json(made.to_json())
    else:
        click.echo("\n".join(_drafted(made)))


def _drafted(made: QuestionsReport) -> Iterator[str]:
    rules = ", ".join(f"{count} {rule}" for rule, count in sorted(made.by_rule.items()))
    yield (
        f"{made.cases:,} cases about {made.facts:,} facts from {made.documents:,} "
        f"documents in {made.out}"
    )
    yield f"by rule: {rules}"
    for why, count in sorted(made.dropped.items()):
        yield f"left out: {count:,} ({why})"
    yield f"not reviewed yet: groundtune questions --out {made.out} --review"


def _reviewed(found: ReviewReport, out: Path) -> str:
    return (
        f"{found.accepted:,} facts accepted ({found.cases:,} cases), "
        f"{found.rejected:,} rejected, {found.left:,} left in {out}"
    )


def _asked(fact: Fact, number: int, count: int) -> Fact | Decision | None:
    """Show a draft and ask until there is a decision; None at the end of input."""
    _tell(f"\n{number} of {count}  ({fact.made_by}, {fact.source})")
    for wording in fact.questions:
        _tell(f"  Q: {wording}")
    _tell(f"  A: {fact.answer}")
    _tell(f"  in: {' '.join(fact.evidence.split())}")
    while True:
        typed = _line(_KEYS)
        key = "q" if typed is None else typed.casefold()
        if key == "q":
            return None
        if key == "a":
            return fact.edited()
        if key == "r":
            return "reject"
        if key == "e":
            changed = _edited(fact)
            if changed is not None:
                return changed


def _edited(fact: Fact) -> Fact | None:
    """Each text in turn: Enter keeps it, a minus sign drops a wording."""
    _tell("  (Enter keeps a line, - drops a wording)")
    wordings: list[str] = []
    for wording in fact.questions:
        typed = _line(f"  Q: {wording}\n ")
        if typed is None:
            return None
        if typed != "-":
            wordings.append(typed or wording)
    answer = _line(f"  A: {fact.answer}\n ")
    if answer is None:
        return None
    try:
        return fact.edited(questions=wordings, answer=answer or fact.answer)
    except DataError as error:
        _tell(f"  {error.problem}: {error.fix}")
        return None


def _line(text: str) -> str | None:
    """What is typed; None at the end of input."""
    try:
        typed: str = click.prompt(
            text, default="", show_default=False, prompt_suffix=" ", err=True
        )
    except click.Abort:
        return None
    return typed.strip()


def _tell(text: str) -> None:
    """Beside what the verb prints, which may be read by a program."""
    click.echo(text, err=True)
