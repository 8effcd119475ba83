"""The verb `evaluate`: one command for each task that has a measure of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.checking import figure, measure_lines
from groundtune.cli.options import ANY_PATH, EXISTING, embedder_option, example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay
from groundtune.cli.retrieval import difference, interval

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.recipes.dialogue_evaluation import Part

_KINDS = {
    "first": "first turns",
    "follow_up": "turns that need history",
    "refers_back": "of them, those whose words refer back",
    "switched": "first turns behind a conversation about something else",
}
_SHOWN = ("passage_hit@1", "passage_hit@5", "passage_hit@10", "document_hit@5")

_SEED = click.option("--seed", default=0, show_default=True, help="Of all chance.")


@click.group(epilog=example("groundtune evaluate retrieval"))
def evaluate() -> None:
    """Measure a system on labelled data, with intervals."""


@evaluate.command(epilog=example("groundtune evaluate retrieval --beir scifact/"))
@click.option(
    "--beir",
    required=True,
    type=EXISTING,
    help="Folder with corpus.jsonl, queries.jsonl and qrels/.",
)
@click.option(
    "--split",
    default="test",
    show_default=True,
    help="Whose queries, by the name of a file in qrels/.",
)
@click.option(
    "--kb",
    type=ANY_PATH,
    help="Knowledge base to make of the collection, or to reuse.  "
    "[default: one in the cache of this user]",
)
@click.option(
    "--whole", is_flag=True, help="One passage a document, however long it is."
)
@_SEED
@embedder_option
@json_option
def retrieval(
    *,
    beir: Path,
    split: str,
    kb: Path | None,
    whole: bool,
    seed: int,
    embedder: str,
    as_json: bool,
) -> None:
    """How well the right documents are found.

    Shows nDCG@10, recall@100 and MRR@10 of BM25, of vectors, and of both together, and
    whether both together are better than each alone. Documents are ranked by their
    best passage. What `optimize` chose for the knowledge base is what is measured.
    """
    from groundtune.recipes.evaluate import WHOLE
    from groundtune.recipes.evaluate import evaluate as evaluate_recipe

    with ProgressDisplay() as progress:
        report = evaluate_recipe(
            "retrieval",
            beir=beir,
            split=split,
            kb=kb,
            model=embedder,
            splitter=WHOLE if whole else None,
            seed=seed,
            progress=progress,
        ).to_json()
    lines = [
        f"{name:<8}  "
        + "  ".join(f"{m} {interval(found)}" for m, found in measures.items())
        for name, measures in report["retrievers"].items()
    ]
    lines += [
        f"{name}: {difference(found)}" for name, found in report["differences"].items()
    ]
    lines.append(
        f"{report['documents']} documents in {report['passages']} passages: "
        f"{report['kb']}"
    )
    _show(report, lines, as_json=as_json)


@evaluate.command(
    "fact_check",
    epilog=example(
        "groundtune evaluate fact_check --kb papers --train train.jsonl "
        "--cases test.jsonl"
    ),
)
@click.option("--kb", required=True, type=ANY_PATH, help="What the claims are about.")
@click.option(
    "--cases", required=True, type=EXISTING, help="Labelled claims to measure on."
)
@click.option("--train", type=EXISTING, help="Claims to train on.")
@click.option(
    "--model",
    metavar="MODEL",
    help="A verdict model to measure, instead of training one.",
)
@click.option(
    "--out",
    type=ANY_PATH,
    help="Folder for the models.  [default: one in the cache of this user]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Measure on so many claims.  [default: all]",
)
@_SEED
@embedder_option
@json_option
def fact_check(
    *,
    kb: Path,
    cases: Path,
    train: Path | None,
    model: str | None,
    out: Path | None,
    limit: int | None,
    seed: int,
    embedder: str,
    as_json: bool,
) -> None:
    """How often claims get the right verdict: plain, rag, tuned and both.

    Where --train is given, the last two are trained on it; --model is measured as both
    instead.
    """
    from groundtune.recipes.checking.measured import measure_fact_check

    with ProgressDisplay() as progress:
        fields = measure_fact_check(
            kb=kb,
            cases=cases,
            train=train,
            model=model,
            embedder=embedder,
            out=out,
            seed=seed,
            limit=limit,
            progress=progress,
        ).to_json()
    lines: list[str] = []
    for arm, measures in fields["arms"].items():
        lines += [f"{arm:<9} {line}" for line in measure_lines(measures)]
    if recall := fields["measures"]["evidence_recall@5"]:
        lines.append(f"evidence  recall@5 {figure(recall)}")
    lines.append(f"{fields['claims']} claims")
    _show(fields, lines, as_json=as_json)


@evaluate.command(
    epilog=example("groundtune evaluate dialogue --kb handbook --cases talks.jsonl"),
)
@click.option(
    "--kb", required=True, type=ANY_PATH, help="What the conversations are about."
)
@click.option(
    "--cases", required=True, type=EXISTING, help="Conversations, a line each turn."
)
@click.option(
    "--docs",
    type=EXISTING,
    help="Documents to make the knowledge base of: JSON Lines of doc_id, title, text.",
)
@click.option(
    "--part",
    default="test",
    show_default=True,
    type=click.Choice(["dev", "test", "all"]),
    help="Whose turns; dev, 40 % of the documents, is for choosing settings.",
)
@click.option(
    "--model", metavar="MODEL", help="A generator that also words queries.", default=""
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="So many turns.  [default: all]"
)
@_SEED
@embedder_option
@json_option
def dialogue(
    *,
    kb: Path,
    cases: Path,
    docs: Path | None,
    part: Part,
    model: str,
    limit: int | None,
    seed: int,
    embedder: str,
    as_json: bool,
) -> None:
    """How often the last turn of a conversation finds its passage.

    Alone, with the whole history, and made to stand alone by rule; with --model by a
    generator, too.
    """
    from groundtune.recipes.dialogue_evaluation import evaluate_dialogue

    with ProgressDisplay() as progress:
        report = evaluate_dialogue(
            cases=cases,
            kb=kb,
            docs=docs,
            embedder=embedder,
            model=model,
            part=part,
            limit=limit,
            seed=seed,
            progress=progress,
        ).to_json()
    _show(report, _dialogue_lines(report), as_json=as_json)


def _show(fields: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(fields)
    else:
        click.echo("\n".join(lines))


def _dialogue_lines(report: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for kind, methods in report["turns"].items():
        n = next(iter(methods.values()))[_SHOWN[0]]["n"]
        lines.append(f"{_KINDS[kind]} ({n}):")
        for method, measures in methods.items():
            shown = "  ".join(f"{m} {measures[m]['value']:.3f}" for m in _SHOWN)
            lines.append(f"  {method:<8} {shown}")
        lines += [
            f"  {pair}: " + ", ".join(_gap(m, found) for m, found in gaps.items())
            for pair, gaps in report["differences"][kind].items()
        ]
    if topics := report["topics"]:
        lines.append(
            f"new topics: {topics['seen']['value']:.3f} seen, "
            f"{topics['false_alarms']['value']:.3f} of follow-up turns taken for one"
        )
    if report["rewritten"]:
        counts = ", ".join(f"{n} {what}" for what, n in report["rewritten"].items())
        lines.append(f"wording of the model: {counts}")
    lines.append(
        f"{report['cases']} turns on {report['documents']} documents in "
        f"{report['passages']} passages"
    )
    return lines


def _gap(measure: str, found: dict[str, Any]) -> str:
    gap = found["difference"]
    return f"{measure} {gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
