"""Claims are checked against a base, and a verdict model is trained for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundtune.cli.checking import check as check_verb
from groundtune.core.errors import ConfigError, DataError, ModelLoadError
from groundtune.core.values import FactCase, Span
from groundtune.data.claims import DocumentEvidence
from groundtune.recipes.check import check
from groundtune.recipes.checking.lessons import pair_lessons
from groundtune.recipes.checking.reading import Claims
from groundtune.recipes.checking.verdicts import fit_decision, macro_f1
from groundtune.recipes.ingest import ingest
from groundtune.recipes.tune_fact_check import read_sides, tune_verdict_model
from groundtune.systems.fact_checker import Evidence, Sentence
from groundtune.tasks.fact_check import LABELS

if TYPE_CHECKING:
    from groundtune.core.values import FactLabel
    from groundtune.recipes.tune_fact_check import FactReport
    from groundtune.store.models import ModelFolder

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "scenarios" / "fact-checking"


def case(name: str, claim: str, label: Any, source: str = "") -> FactCase:
    return FactCase(id=name, claim=claim, label=label, source=source, group=source)


def found(document: str, *texts: str) -> Evidence:
    sentences = tuple(
        Sentence(document, number, number + 1, text, 0.5)
        for number, text in enumerate(texts)
    )
    return Evidence(document=document, sentences=sentences)


def test_lessons_hold_quotes_distractors_and_claims_turned_round() -> None:
    claims = Claims(
        cases=(
            case("a", "Zinc shortens colds.", "SUPPORTED", "1"),
            case("b", "Zinc is blue.", "NOT_ENOUGH_INFO"),
        ),
        gold={
            "a": (DocumentEvidence("1", ("Colds were shorter.",), decides=True),),
            "b": (DocumentEvidence("2", (), decides=False),),
        },
        found={
            "a": (
                found("1", "Colds were shorter.", "More."),
                found("3", "Tin."),
                found("4", "Lead."),
            ),
            "b": (found("2", "Zinc is a metal."), found("3", "Tin.")),
        },
    )

    taught = {one.text: one.label for one in pair_lessons(claims, is_turned=True)}

    assert taught == {
        "Zinc shortens colds. [SEP] Colds were shorter.": "SUPPORTED",
        "Zinc shortens colds. [SEP] Colds were shorter. More.": "SUPPORTED",
        "Zinc shortens colds. [SEP] Tin.": "NOT_ENOUGH_INFO",
        "Zinc is blue. [SEP] Zinc is a metal.": "NOT_ENOUGH_INFO",
        "Zinc is blue. [SEP] Tin.": "NOT_ENOUGH_INFO",
    }


def test_turned_claims_are_for_training_alone() -> None:
    claims = Claims(
        cases=(case("a", "Zinc reduces colds.", "SUPPORTED", "1"),),
        gold={"a": (DocumentEvidence("1", ("Fewer colds.",), decides=True),)},
        found={"a": ()},
    )

    learned = pair_lessons(claims, is_turned=True)
    held = pair_lessons(claims, is_turned=False)

    assert [(one.text, one.label) for one in learned] == [
        ("Zinc reduces colds. [SEP] Fewer colds.", "SUPPORTED"),
        ("Zinc increases colds. [SEP] Fewer colds.", "REFUTED"),
    ]
    assert held == learned[:1]


def test_the_threshold_is_fitted_and_mild() -> None:
    import numpy as np

    gold: list[FactLabel] = [LABELS[n % 3] for n in range(30)]
    sure = [np.eye(3)[[LABELS.index(label)]] * 3 for label in gold]
    shifted = [one + np.array([0.0, 0.0, 3.5]) for one in sure]

    assert fit_decision(sure, gold).not_enough == 0.0
    decision = fit_decision(shifted, gold)
    assert decision.not_enough < 0
    assert macro_f1(gold, [decision.verdict(one) for one in shifted]) == 1.0
    assert fit_decision([], []).refuted == 0.0


def test_claims_that_are_tested_on_are_not_trained_on(tmp_path: Path) -> None:
    sides = read_sides(
        SAMPLE / "train.jsonl", dev=None, test=SAMPLE / "test.jsonl", seed=0
    )
    assert sides.left_out == 0

    again = tmp_path / "again.jsonl"
    lines = (SAMPLE / "train.jsonl").read_text().splitlines()
    again.write_text("\n".join(lines[:5]))
    sides = read_sides(SAMPLE / "train.jsonl", dev=None, test=again, seed=0)

    assert sides.left_out == 5
    assert len(sides.cases["train"]) == len(lines) - 5
    with pytest.raises(DataError, match="also stands"):
        read_sides(again, dev=None, test=again, seed=0)


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory: pytest.TempPathFactory, tiny_bert: ModelFolder) -> Path:
    """The sample in a base whose embedder is a tiny BERT with random weights."""
    kb = tmp_path_factory.mktemp("facts") / "kb"
    ingest([SAMPLE / "ferry"], kb=kb, model=str(tiny_bert.path))
    return kb


def test_a_claim_is_cited_in_the_document(
    tiny_base: Path, tiny_bert: ModelFolder
) -> None:
    claim = "Smoking is allowed on the open deck only."

    checked = check(claim, kb=tiny_base, embedder=str(tiny_bert.path))

    (citation,) = checked.answer.citations
    text = (SAMPLE / "ferry" / citation.document).read_text()
    assert checked.label == "SUPPORTED"
    assert text[citation.start : citation.end] == citation.text == claim
    assert citation.sentence == Span(0, len(checked.answer.text))
    assert checked.answer.hits


def test_the_verb_prints_the_contract(tiny_base: Path, tiny_bert: ModelFolder) -> None:
    arguments = ["--kb", str(tiny_base), "--embedder", str(tiny_bert.path)]

    done = CliRunner().invoke(
        check_verb, ["Fog delays the ferry.", *arguments, "--json"]
    )

    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert {"text", "citations", "abstained", "reason", "hits", "timings_ms"} <= set(
        printed
    )
    assert printed["label"] in LABELS
    assert set(printed["scores"]) == set(LABELS)
    assert printed["check"] == "rule on wording, untuned"


def test_what_cannot_be_checked_is_refused(
    tiny_base: Path, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    embedder = str(tiny_bert.path)

    with pytest.raises(ConfigError, match="empty"):
        check(" ", kb=tiny_base, embedder=embedder)
    with pytest.raises(ConfigError, match="k is 0"):
        check("It rains.", kb=tiny_base, embedder=embedder, k=0)
    with pytest.raises(ModelLoadError):
        check("It rains.", kb=tiny_base, embedder=embedder, model=str(tmp_path))


def test_wording_is_weighed_in_seconds(
    tiny_base: Path, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    out, embedder = tmp_path / "wording", str(tiny_bert.path)
    train, test = SAMPLE / "train.jsonl", SAMPLE / "test.jsonl"

    def tuned(strategy: str = "auto") -> FactReport:
        return tune_verdict_model(
            train=train,
            test=test,
            kb=tiny_base,
            out=out,
            embedder=embedder,
            strategy=strategy,
        )

    report = tuned()
    again = tuned()
    checked = check(
        "The Wren carries 40 cars.", kb=tiny_base, embedder=embedder, model=str(out)
    )

    assert report.test is not None
    assert report.test["n"] == 19
    assert again.measures == report.measures
    assert checked.answer.check == "verdict model wording, trained on wording"
    assert sum(checked.scores.values()) == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="not for fact-checking"):
        tuned("lora")
    (out / "wording.json").write_text('{"version": "old"}')
    with pytest.raises(ModelLoadError, match="other features"):
        check("It rains.", kb=tiny_base, embedder=embedder, model=str(out))


def test_likelihoods_of_a_generator_decide_between_the_sides(
    tiny_base: Path, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    out, embedder = tmp_path / "likely", str(tiny_bert.path)
    seen: list[str] = []

    report = tune_verdict_model(
        train=SAMPLE / "train.jsonl",
        test=SAMPLE / "test.jsonl",
        kb=tiny_base,
        out=out,
        embedder=embedder,
        strategy="likelihood",
        progress=lambda label, _done, _all: seen.append(label),
    )
    checked = check(
        "The Wren carries 40 cars.", kb=tiny_base, embedder=embedder, model=str(out)
    )

    assert report.base == "wording and smollm2-135m-instruct"
    assert report.test is not None
    assert report.test["n"] == 19
    assert "likelihoods: train" in seen
    assert (
        checked.answer.check
        == "verdict model likely, trained on likelihood and wording"
    )
    assert sum(checked.scores.values()) == pytest.approx(1.0)
    fields = json.loads((out / "likelihood.json").read_text())
    for change, words in (
        ({"generator_sha256": "0"}, "other weights"),
        ({"version": "old"}, "other features"),
        ({"unknown": 1}, "not a verdict model"),
    ):
        (out / "likelihood.json").write_text(json.dumps(fields | change))
        with pytest.raises(ModelLoadError, match=words):
            check("It rains.", kb=tiny_base, embedder=embedder, model=str(out))


@pytest.mark.slow
def test_a_verdict_model_is_trained_served_and_found_finished(
    tiny_base: Path, tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    out, base = tmp_path / "model", str(tiny_bert.path)

    report = tune_verdict_model(
        train=SAMPLE / "train.jsonl",
        test=SAMPLE / "test.jsonl",
        kb=tiny_base,
        out=out,
        base=base,
        embedder=base,
        strategy="full",
        changes={"epochs": "1", "max_tokens": "40"},
    )
    checked = check(
        "The Wren carries 40 cars.", kb=tiny_base, embedder=base, model=str(out)
    )
    again = tune_verdict_model(
        train=SAMPLE / "train.jsonl",
        test=SAMPLE / "test.jsonl",
        kb=tiny_base,
        out=out,
        base=base,
        embedder=base,
        strategy="full",
        changes={"epochs": "1", "max_tokens": "40"},
    )

    assert report.test is not None
    assert report.test["n"] == 19
    assert report.lessons > 100
    assert report.measures["test"]["evidence_recall@5"]["n"] == 13
    assert again.seconds == report.seconds
    assert again.measures == report.measures
    assert checked.answer.check.startswith("verdict model")
    assert sum(checked.scores.values()) == pytest.approx(1.0)
    (out / "verdict.json").unlink()
    with pytest.raises(ModelLoadError, match=r"verdict\.json"):
        check("It rains.", kb=tiny_base, embedder=base, model=str(out))
