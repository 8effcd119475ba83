"""A comparison of fact-checking, end to end: claims about animals, and a base."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from groundtune.data.claims import read_claims
from groundtune.recipes.compare import compare
from groundtune.store.run import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.measure.comparison import Summary

ANIMALS = [
    "otters",
    "herons",
    "badgers",
    "lynxes",
    "beavers",
    "storks",
    "martens",
    "ravens",
    "voles",
    "newts",
]
PLACES = ("rivers", "marshes", "forests", "meadows")


def _write(folder: Path) -> None:
    """Documents that say where animals live, and claims that are right or wrong."""
    docs = folder / "docs"
    docs.mkdir()
    lines: list[str] = []
    for number, animal in enumerate(ANIMALS):
        place, other = PLACES[number % 4], PLACES[(number + 1) % 4]
        said = f"Most {animal} live near {place} and never leave them in winter."
        (docs / f"{animal}.md").write_text(f"# {animal.title()}\n\n{said}\n")
        quoted = [{"document": f"{animal}.md", "quotes": [said]}]
        for place_said, label in ((place, "SUPPORTED"), (other, "REFUTED")):
            for wording in (
                "Most {} live near {}.",
                "It is said that {} live near {}.",
            ):
                claim = wording.format(animal, place_said)
                raw = {"claim": claim, "label": label, "evidence": quoted}
                lines.append(json.dumps({**raw, "source": f"{animal}.md"}) + "\n")
        raw = {"claim": f"Young {animal} sing at night.", "label": "NOT_ENOUGH_INFO"}
        lines.append(json.dumps({**raw, "source": f"{animal}.md"}) + "\n")
    (folder / "claims.jsonl").write_text("".join(lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("claims")
    _write(made)
    return made


@pytest.fixture(scope="module")
def summary(folder: Path) -> Summary:
    """The one arm that needs neither a generator nor a long training."""
    return compare(
        "fact_check",
        cases=folder / "claims.jsonl",
        docs=[folder / "docs"],
        out=folder / "run",
        arms=["both"],
    )


def test_claims_are_divided_by_document(summary: Summary, folder: Path) -> None:
    assert summary.arms
    sides = [
        {
            case.source
            for case in read_claims(folder / "run" / "cases" / f"{s}.jsonl").cases
        }
        for s in ("train", "dev", "test")
    ]
    assert all(sides)
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_macro_f1_is_the_measure_and_evidence_is_sought(
    summary: Summary, folder: Path
) -> None:
    both = summary.arms["both"]
    assert summary.measure == "macro_f1"
    assert "accuracy" in both.measures
    assert both.measures["hit"].value > 0.8
    rows = RunFolder.open(folder / "run").rows()
    assert all(row["hits"] for row in rows)
    cited = [row for row in rows if row["prediction"] != "NOT_ENOUGH_INFO"]
    assert cited
    assert all(row["citations"] for row in cited)


def test_frozen_claims_keep_their_quotes(summary: Summary, folder: Path) -> None:
    assert summary.arms
    frozen = read_claims(folder / "run" / "cases" / "train.jsonl")
    first = read_claims(folder / "claims.jsonl")
    for case in frozen.cases:
        assert frozen.evidence[case.id] == first.evidence[case.id]
