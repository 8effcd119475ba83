"""The report of a run folder made by rule: figures, page, terminal, hostile text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.core.errors import ConfigError, DataError
from groundtune.measure.answers import score_answer
from groundtune.recipes.report import WIDTH, render_terminal, report, write_html

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ATTACK = "<script>alert('x')</script><img src=\"http://evil.test/a.png\">"

_PLACES = ("Ostrelle", "Vanmoor", "Quillam", "Tarsk", "Ebbenhall", "Lirrow", "Dunmarch")
_THINGS = {
    "keeper": ("Maud Ferrin", "Jory Asplund", "Tilda Voss", "Orrin Hale", "Bea Quist"),
    "stone": (
        "green slate",
        "rose granite",
        "black marl",
        "white chert",
        "blue gneiss",
    ),
    "feast": ("Lantern Night", "Salt Day", "the Reed Dance", "First Ice", "Bell Week"),
    "founding year": ("1412", "1388", "1507", "1266", "1631"),
}
_RIGHT = {  # share of right answers: (right passage found, missed)
    "plain": (0.03, 0.03),
    "rag": (0.42, 0.04),
    "tuned": (0.22, 0.22),
    "both": (0.80, 0.20),
    "naive_both": (0.45, 0.15),
    "right_passage_base": (0.50, 0.50),
    "right_passage_tuned": (0.84, 0.84),
}
_MS = {"plain": 310, "rag": 905, "tuned": 320, "both": 880, "naive_both": 890}


def make_run(
    folder: Path, *, cases: int = 208, documents: int = 26, seeds: int = 1
) -> Path:
    """Write a whole run folder: every answer follows from the rule and the seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    timings: list[dict[str, Any]] = []
    passages: dict[tuple[str, int, int], str] = {}
    for number in range(cases):
        place = f"{_PLACES[number % documents % 7]} {number % documents}"
        document = f"gazetteer/{place.lower().replace(' ', '-')}.md"
        thing = list(_THINGS)[number % 4]
        truth, wrong = (str(x) for x in rng.choice(_THINGS[thing], 2, replace=False))
        answerable = number % 9 != 8
        quote = f"The {thing} of {place} is {truth}, as the parish roll records."
        text = (
            f"{place} lies where two rivers meet. Travellers came for its market "
            f"long before the road was built. {quote} Nothing else is written of it "
            "before the flood, though the older families tell it otherwise, and the "
            "mill still turns on days when the wind fails."
        )
        start = 400 * (number // documents)
        passages[document, start, start + len(text)] = text
        at = start + text.index(quote)
        found = bool(rng.random() < 0.86)
        luck = {system: float(rng.random()) for system in _RIGHT}
        for system, shares in _RIGHT.items():
            if system.startswith("right_passage") and not answerable:
                continue
            for seed in range(seeds if system in ("tuned", "both") else 1):
                right = luck[system] < shares[0 if found else 1] - 0.01 * seed
                reads = system in ("rag", "both", "naive_both")
                abstained = not answerable and system == "both" and right
                said = truth if right else wrong
                if system in ("plain", "rag") and right:
                    said = f"It is {truth}, I believe."
                if abstained:
                    said = ""
                answers = [truth] if answerable else []
                citation = {
                    "document": document,
                    "start": at,
                    "end": at + len(quote),
                    "text": quote,
                }
                hit = {
                    "document": document,
                    "start": start,
                    "end": start + len(text),
                    "score": 0.9,
                }
                cites = reads and system != "naive_both" and right and not abstained
                row = {
                    "case": f"case-{number:04}",
                    "system": system,
                    "seed": seed,
                    "group": document,
                    "question": f"Which {thing} does the roll give for {place}?",
                    "answers": answers,
                    "answerable": answerable,
                    "prediction": said,
                    "scores": score_answer(
                        said, answers, answerable=answerable, abstained=abstained
                    ),
                    "abstained": abstained,
                    "citations": [citation] if cites else [],
                    "hits": [hit] if reads else [],
                    "hit": (found if answerable else None) if reads else None,
                    "prompt_tokens": 412 if reads else 38,
                    "output_tokens": 6 if system in ("tuned", "both") else 14,
                    "error": None,
                }
                rows.append(row)
                usual = _MS.get(system, 800)
                total = usual * float(rng.lognormal(0, 0.18))
                timings.append(
                    {
                        "case": row["case"],
                        "system": system,
                        "seed": seed,
                        "retrieve_ms": 11.0 if reads else 0.0,
                        "first_token_ms": total * 0.6,
                        "total_ms": total,
                    }
                )
    write_lines(folder / "rows.jsonl", rows)
    write_lines(folder / "timings.jsonl", timings)
    write_lines(
        folder / "passages.jsonl",
        [
            {"document": d, "start": s, "end": e, "text": t}
            for (d, s, e), t in passages.items()
        ],
    )
    resources = {
        arm: {
            "peak_memory_mb": 780 if arm in ("plain", "rag") else 795,
            "train_seconds": {"tuned": 412.0, "both": 634.5}.get(arm),
        }
        for arm in ("plain", "rag", "tuned", "both")
    }
    (folder / "resources.json").write_text(json.dumps(resources))
    about = {
        "task": "qa",
        "groundtune": "0.1.0",
        "model": {"name": "smollm2-135m-instruct", "weights_sha256": "b179c952" * 8},
        "splits": {"train": 900, "dev": 120, "test": cases},
        "retrieval": {"k": 3, "fusion": "convex", "weight": 0.6},
        "seeds": [0],
        "protocol": {"draws": 2000},
    }
    (folder / "run.json").write_text(json.dumps(about))
    return folder


def write_lines(path: Path, values: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def edit_rows(
    run: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    rows = [json.loads(line) for line in (run / "rows.jsonl").read_text().splitlines()]
    write_lines(run / "rows.jsonl", [new for row in rows if (new := change(row))])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "gazetteer", seeds=2)


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return write_html(run, report(run)).read_text(encoding="utf-8")


class _Page(HTMLParser):
    """What a browser would see: text, tags, and everything that could be loaded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "srcset", "data"):
                self.loads.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_every_figure_of_the_summary_is_on_the_page(run: Path, page: str) -> None:
    text = _Page(page).text
    summary = report(run)
    for arm in (*summary.arms.values(), *summary.diagnostics.values()):
        for figure in (arm.score, *arm.measures.values(), *arm.by_hit.values()):
            for number in (figure.value, figure.low, figure.high):
                assert f"{number:.3f}" in text
        for part in ("p50", "p95"):
            assert f"{arm.latency_ms[part]:,.0f}" in text
    for contrast in (*summary.contrasts, *summary.exploratory):
        for number in (
            contrast.difference.value,
            contrast.difference.low,
            contrast.difference.high,
        ):
            assert f"{number:+.3f}" in text
    for warning in summary.warnings:
        assert warning in text.replace("\u00a0", " ")
    assert " ".join(summary.verdict.why.split()) in text.replace("\u00a0", " ")


def test_page_is_one_file_that_loads_nothing(page: str) -> None:
    seen = _Page(page)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(seen.tags)
    assert all(load.startswith("#") for load in seen.loads)
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_ids_are_unique_and_every_reference_resolves(page: str) -> None:
    seen = _Page(page)
    assert len(seen.ids) == len(set(seen.ids))
    referred = {load[1:] for load in seen.loads}
    referred |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert referred <= set(seen.ids)


def test_every_plot_has_a_name_and_a_caption(page: str) -> None:
    seen = _Page(page)
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert len(labels) == 4
    assert all(re.search(r"both .*\d\.\d{3}", label) for label in labels)
    assert seen.tags.count("figure") == seen.tags.count("figcaption") == 4


def test_page_is_the_same_bytes_when_built_twice(run: Path, page: str) -> None:
    assert write_html(run, report(run)).read_text(encoding="utf-8") == page


def test_hostile_text_is_shown_and_never_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=60, documents=20)

    def poison(row: dict[str, Any]) -> dict[str, Any]:
        for citation in row["citations"]:
            citation["text"] = ATTACK
        for name in ("prediction", "question", "group"):
            row[name] = f"{ATTACK} {row[name]}"
        row["error"] = ATTACK if row["system"] == "plain" else None
        return row

    edit_rows(run, poison)
    about = json.loads((run / "run.json").read_text())
    about[ATTACK] = {"note": ATTACK}
    (run / "run.json").write_text(json.dumps(about))
    html = write_html(run, report(run)).read_text(encoding="utf-8")
    seen = _Page(html)
    assert "script" not in seen.tags
    assert "img" not in seen.tags
    assert ATTACK in seen.text


def test_examples_show_question_answers_and_the_marked_citation(page: str) -> None:
    assert re.search(
        r"<mark>The [\w ]+ is [\w ]+, as the parish roll records\.</mark>", page
    )
    assert "only both is right" in page
    assert "Travellers came for its market" in page
    assert "not cited" in page


def test_json_is_the_documented_contract(run: Path) -> None:
    value = json.loads(json.dumps(report(run).to_json(), allow_nan=False))
    assert {"task", "run", "arms", "diagnostics", "contrasts", "verdict"} <= set(value)
    assert list(value["arms"]) == ["plain", "rag", "tuned", "both"]
    for arm in (*value["arms"].values(), *value["diagnostics"].values()):
        assert set(arm["score"]) == {"value", "low", "high", "n"}
        assert {"p50", "p95"} <= set(arm["latency_ms"])
        assert set(arm["tokens"]) == {"prompt", "output"}
    assert list(value["contrasts"]) == ["tuned-rag", "both-rag", "both-tuned"]
    for contrast in value["contrasts"].values():
        assert set(contrast["difference"]) == {"value", "low", "high", "n"}
        assert contrast["p"] <= contrast["p_holm"] <= 1
    assert {"arm", "decided", "why", "flips"} <= set(value["verdict"])
    assert value["verdict"]["arm"] == "both"


def test_terminal_report_is_plain_narrow_and_complete(run: Path) -> None:
    summary = report(run)
    text = render_terminal(summary)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text
    for arm in summary.arms.values():
        assert (
            f"{arm.score.value:.3f} [{arm.score.low:.3f}, {arm.score.high:.3f}]" in text
        )
    assert "VERDICT  both" in text
    assert "both \N{MINUS SIGN} rag" in text
    assert "208 cases from 26 groups" in text


def test_a_run_without_timings_or_diagnostics_still_reports(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=40, documents=20)
    edit_rows(run, lambda row: row if row["system"] in ("plain", "rag") else None)
    for name in ("timings.jsonl", "resources.json", "passages.jsonl"):
        (run / name).unlink()
    summary = report(run)
    assert summary.contrasts == ()
    assert summary.interaction is None
    assert summary.to_json()["arms"]["rag"]["latency_ms"] == {"p50": None, "p95": None}
    html = write_html(run, summary).read_text(encoding="utf-8")
    assert "rag \N{MINUS SIGN} plain" in html
    assert "screening" in render_terminal(summary)


def test_protocol_settings_come_from_the_run_and_are_checked(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=40, documents=20)
    (run / "run.json").write_text('{"protocol": {"margn": 0.1}}')
    with pytest.raises(ConfigError, match="unknown setting 'margn'"):
        report(run)
    (run / "run.json").write_text('{"protocol": {"margin": 0.1, "draws": 500}}')
    assert report(run).settings.margin == 0.1


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a run folder"):
        report(tmp_path)


def test_a_malformed_row_is_named_by_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=10, documents=10)
    with (run / "rows.jsonl").open("a") as stream:
        stream.write('{"case": "x", "system": "rag"}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:\d+: not a row"):
        report(run)


def test_a_torn_last_row_is_ignored(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=10, documents=10)
    before = report(run).to_json()
    with (run / "rows.jsonl").open("a") as stream:
        stream.write('{"case": "x", "sys')
    assert report(run).to_json() == before
