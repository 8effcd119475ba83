"""The comparison end to end, on real models and a world that nobody can know."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from groundtune.config.compare import CompareSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.values import Citation
from groundtune.data.cases import read_cases
from groundtune.recipes.compare import compare
from groundtune.recipes.comparison.freshness import EditedFact, measure_freshness
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.report import report
from groundtune.retrieve.index import KnowledgeBase
from groundtune.store.files import read_json
from groundtune.store.run import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.data.worlds import World


class Finished(Protocol):
    """What the fixture `finished` gives; see conftest.py."""

    run: Path
    world: World
    folder: Path
    settings: CompareSettings

    def again(self) -> None: ...

    def compared(
        self, out: Path, *, settings: CompareSettings, **options: Any
    ) -> None: ...


# The first of these tests waits for a whole comparison.
pytestmark = pytest.mark.timeout(900)

SYSTEMS = ("plain", "rag", "nearest_answer", "tuned", "both", "right_passage_tuned")


def test_every_case_has_one_row_for_each_system(finished: Finished) -> None:
    rows = RunFolder.open(finished.run).rows()

    keys = [(row["system"], row["case"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {system for system, _ in keys} == set(SYSTEMS)
    cases = read_cases(finished.run / "cases" / "test.jsonl")
    for system in ("plain", "rag", "tuned", "both"):
        assert [c for s, c in keys if s == system] == [case.id for case in cases]
    assert not any(row["error"] for row in rows)


def test_only_systems_with_retrieval_have_hits_and_citations_resolve(
    finished: Finished,
) -> None:
    kb = KnowledgeBase.open(finished.run / "kb")
    for row in RunFolder.open(finished.run).rows():
        assert bool(row["hits"]) == (
            row["system"] in {"rag", "both", "right_passage_tuned"}
        )
        for citation in row["citations"]:
            assert kb.resolve(Citation(**citation))


def test_a_row_holds_no_time(finished: Finished) -> None:
    rows = RunFolder.open(finished.run).rows()

    assert not any("ms" in key or "second" in key for row in rows for key in row)
    timings = RunFolder.open(finished.run).timings()
    assert len(timings) == len(rows)
    assert all(t["total_ms"] > 0 for t in timings if t["system"] != "nearest_answer")


def test_test_cases_never_stand_in_training(finished: Finished) -> None:
    sides = {
        side: read_cases(finished.run / "cases" / f"{side}.jsonl")
        for side in ("train", "dev", "test")
    }
    for one, other in (("train", "test"), ("train", "dev"), ("dev", "test")):
        questions = {case.question for case in sides[one]}
        assert not questions & {case.question for case in sides[other]}


def test_tuned_models_say_what_they_were_made_of(finished: Finished) -> None:
    for kind in ("closed-book", "context"):
        folder = finished.run / "models" / kind
        manifest = json.loads((folder / "groundtune.json").read_text())
        assert manifest["base"]["name"] == "smollm2-135m-instruct"
        assert manifest["adapter"] == kind
        assert manifest["training"]["tokens"] >= 500
        assert (folder / "model.safetensors").exists()
        assert not [p for p in folder.rglob("*") if p.suffix in {".bin", ".pt"}]
    assert not list((finished.run / "models").glob(".*")), "checkpoints are cleaned up"


def test_the_report_is_a_view_of_the_rows(finished: Finished) -> None:
    summary = report(finished.run).to_json()

    rows = [r for r in RunFolder.open(finished.run).rows() if r["system"] == "both"]
    mean = sum(row["scores"]["token_f1"] for row in rows) / len(rows)
    assert summary["arms"]["both"]["score"]["value"] == pytest.approx(mean)
    assert summary["arms"]["both"]["score"]["n"] == len(rows)
    assert set(summary["contrasts"]) == {"tuned-rag", "both-rag", "both-tuned"}
    assert summary["verdict"]["why"]
    assert (finished.run / "report.html").stat().st_size > 10_000


def test_a_finished_run_is_not_run_again(finished: Finished) -> None:
    before = {
        path: path.stat().st_mtime_ns
        for name in ("rows.jsonl", "styles.json", "evidence.json", "models/context")
        for path in [finished.run / name]
    }

    finished.again()

    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_settings_do_not_go_into_the_same_run(finished: Finished) -> None:
    with pytest.raises(ConfigError, match="made with another settings") as caught:
        compare(
            "qa",
            train=finished.folder / "train.jsonl",
            dev=finished.folder / "dev.jsonl",
            test=finished.folder / "test.jsonl",
            docs=[finished.folder / "docs"],
            out=finished.run,
            settings=replace(finished.settings, style_cases=2),
        )

    assert "--out" in str(caught.value)


def test_freshness_asks_again_after_the_documents_changed(finished: Finished) -> None:
    edit = finished.world.edits[0]
    kept = next(c for c in finished.world.test_seen if c.source != edit.case.source)
    facts = [
        EditedFact(case=edit.case, old_answers=edit.old_answers),
        EditedFact(case=kept, old_answers=kept.answers),
    ]

    figures = measure_freshness(
        finished.run,
        facts,
        edited=finished.folder / "edited",
        embedder=DEFAULT_EMBEDDER,
        systems=("rag",),
    )

    rag = figures["systems"]["rag"]
    assert rag["asked"] == 1
    assert rag["untouched_before"]["n"] == rag["untouched_after"]["n"] == 1
    assert rag["followed"]["n"] <= rag["update_success"]["n"] == rag["retrieved"]
    assert rag["update_success_read"]["n"] == rag["read"] <= rag["retrieved"]
    rows = read_json(finished.run / "freshness.json")["rows"]
    changed = next(row for row in rows if row["changed"])
    # Narrower than a hit: the sentence itself stood in what was read.
    assert changed["read"] == bool(rag["read"])
    assert changed["after"]["read"] <= changed["after"]["hit"]
    edited = KnowledgeBase.open(finished.run / "kb-edited")
    assert edit.case.answers[0] in edited.document_text(edit.case.source)
    original = KnowledgeBase.open(finished.run / "kb")
    assert edit.old_answers[0] in original.document_text(edit.case.source)
    assert figures["seconds_to_fresh"] > 0


def refuse(tmp_path: Path, **arguments: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        compare("qa", out=tmp_path / "run", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
    return caught.value


def test_contradicting_sources_are_refused_before_anything_is_made(
    finished: Finished, tmp_path: Path
) -> None:
    train = finished.folder / "train.jsonl"
    docs = [finished.folder / "docs"]

    assert "not at all" in str(refuse(tmp_path, docs=docs))
    assert "twice" in str(refuse(tmp_path, cases=train, train=train, docs=docs))
    assert "--test" in str(refuse(tmp_path, train=train, docs=docs))
    assert "documents" in str(refuse(tmp_path, cases=train))
    assert "nobody" in str(refuse(tmp_path, cases=train, docs=docs, arms=["nobody"]))


def test_a_document_that_cannot_be_read_stops_the_run(
    finished: Finished, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "good.txt").write_text("The tower is tall.")
    (docs / "bad.txt").write_bytes(b"\xff\xfe\xfa latin")

    with pytest.raises(DataError, match=r"bad\.txt"):
        compare(
            "qa",
            train=finished.folder / "train.jsonl",
            test=finished.folder / "test.jsonl",
            docs=[docs],
            out=tmp_path / "run",
            settings=finished.settings,
        )


def test_arms_without_training_train_nothing() -> None:
    untrained = CompareSettings(arms=("plain", "rag")).of_arms()
    assert not untrained.needs_closed_book
    assert not untrained.needs_context
    assert "nearest_answer" in untrained.diagnostics
    tuned = CompareSettings(arms=("plain", "tuned")).of_arms()
    assert tuned.needs_closed_book
    assert not tuned.needs_context
    assert CompareSettings().of_arms() == CompareSettings()


@pytest.mark.slow
def test_the_learning_curve_of_questions_is_of_nested_parts(
    finished: Finished, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    finished.compared(
        run,
        arms=("rag", "tuned"),
        learning_curve=True,
        settings=replace(finished.settings, diagnostics=(), probe_cases=0),
    )

    curve = json.loads((run / "learning_curve.json").read_text())
    sizes = [point["cases"] for point in curve["points"]]
    learned = len(read_cases(run / "cases" / "train.jsonl"))
    assert sizes == sorted(sizes)
    assert sizes[-1] == learned
    assert sizes[0] == round(learned / 16)
    for size in sizes[:-1]:
        folder = run / "models" / f"tuned@{size}"
        assert (folder / "model.safetensors").exists()
    assert "tuned@" not in json.dumps(report(run).to_json()["arms"])


def test_cases_that_name_no_document_are_refused_before_training(
    finished: Finished, tmp_path: Path
) -> None:
    asked = [
        {"question": f"Who was {n}?", "answers": ["nobody"], "source": f"shelf-{n}"}
        for n in range(12)
    ]
    cases = tmp_path / "cases.jsonl"
    cases.write_text("".join(json.dumps(one) + "\n" for one in asked))

    with pytest.raises(DataError, match="name documents such as 'shelf-") as refused:
        compare(
            "qa",
            cases=cases,
            kb=finished.run / "kb",
            out=tmp_path / "run",
            arms=("rag", "both"),
            settings=finished.settings,
        )

    assert "--arms" in refused.value.fix
    assert not (tmp_path / "run" / "rows.jsonl").exists()
