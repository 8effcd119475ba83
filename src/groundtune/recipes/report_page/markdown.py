"""The report as Markdown: the first screen and the tables, for wikis and reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.measure.comparison import label
from groundtune.recipes.report_page import plots, words
from groundtune.recipes.report_page.diagnostics import meanings
from groundtune.recipes.report_page.numbers import (
    NOTHING,
    interval,
    milliseconds,
    p_value,
    signed_interval,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from groundtune.measure.comparison import Contrast, Summary


def page_markdown(summary: Summary, *, title: str, measure: str) -> str:
    """The report of a summary; every text of a person's is escaped."""
    first = words.first_screen(summary, measure=measure)
    parts = [
        f"# {_plain(first.headline)}",
        f"`{summary.task}` · {_plain(title)}",
        _plain(first.meaning),
        _section("Why, and how sure?", first.sure),
        _section("What does it cost?", first.cost),
        _section("When to think again?", first.again),
        _section("Before you rely on this", summary.warnings),
        _section("Weights were changed after the run", words.changed_weights(summary)),
        "## The arms\n\n" + _arms(summary, measure),
        _section(
            "Why the arms do what they do",
            [f"**{name}**: {_plain(text)}" for name, text in meanings(summary)],
            escape=_as_it_is,
        ),
        "## Are the differences real?\n\n" + _contrasts(summary)
        if summary.contrasts or summary.exploratory
        else "",
        _section(
            "What would change the verdict",
            [f"**{label(f.what)}**: {_plain(f.text)}" for f in summary.verdict.flips],
            escape=_as_it_is,
        ),
        "Made by groundtune from rows alone.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(
    title: str, lines: Iterable[str], *, escape: Callable[[str], str] | None = None
) -> str:
    shown = [f"- {(escape or _plain)(line)}" for line in lines]
    return f"## {title}\n\n" + "\n".join(shown) if shown else ""


def _as_it_is(text: str) -> str:
    return text


def _arms(summary: Summary, measure: str) -> str:
    systems = {**summary.arms, **summary.diagnostics}
    head = ("", measure, "n", "p50", "p95", "prompt tokens", "output tokens")
    rows = [
        (
            plots.label(name),
            interval(arm.score),
            f"{arm.score.n:,}",
            milliseconds(arm.latency_ms.get("p50")),
            milliseconds(arm.latency_ms.get("p95")),
            f"{arm.tokens['prompt']:,.0f}",
            f"{arm.tokens['output']:,.1f}",
        )
        for name, arm in systems.items()
    ]
    return _table(head, rows)


def _contrasts(summary: Summary) -> str:
    head = ("", "difference", "n", "p", "p, Holm")
    rows = [_contrast(each) for each in (*summary.contrasts, *summary.exploratory)]
    note = (
        "\n\nPlanned contrasts are corrected together (Holm); those without such a p "
        "are exploratory."
    )
    return _table(head, rows) + note


def _contrast(contrast: Contrast) -> Sequence[str]:
    return (
        plots.contrast_label(contrast.a, contrast.b),
        signed_interval(contrast.difference),
        f"{contrast.difference.n:,}",
        p_value(contrast.p),
        p_value(contrast.p_holm) if contrast.planned else NOTHING,
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(_cell(x) for x in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text if set(text) <= set("-:") else _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text in which nothing is markup."""
    for mark in "\\`*_<>[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
