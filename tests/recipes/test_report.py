"""The report of a run folder made by rule: figures, page, terminal, hostile text."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.core.errors import ConfigError, DataError
from groundtune.measure.answers import score_answer
from groundtune.measure.entities import TAG_END
from groundtune.recipes.report import (
    WIDTH,
    Summary,
    render_terminal,
    report,
    write_html,
    write_markdown,
    write_parquet,
)
from groundtune.recipes.report_page.diagnostics import meanings
from groundtune.recipes.report_page.examples import disagreements, readable
from groundtune.recipes.report_page.vocabulary import words_of
from groundtune.recipes.report_page.words import first_screen

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
def summary(run: Path) -> Summary:
    return report(run)


@pytest.fixture(scope="module")
def page(run: Path, summary: Summary) -> str:
    return write_html(run, summary).read_text(encoding="utf-8")


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


def test_every_figure_of_the_summary_is_on_the_page(
    summary: Summary, page: str
) -> None:
    text = _Page(page).text.replace("\u00a0", " ")
    for arm in (*summary.arms.values(), *summary.diagnostics.values()):
        for figure in (arm.score, *arm.measures.values(), *arm.by_hit.values()):
            for number in (figure.value, figure.low, figure.high):
                assert f"{number:.3f}" in text
        for part in ("p50", "p95"):
            assert f"{arm.latency_ms[part]:,.0f}" in text
    for name, amount in summary.to_json()["costs"]["per_1000"].items():
        assert f"{amount / 60:.1f} min" in text, name
    for contrast in (*summary.contrasts, *summary.exploratory):
        for number in (
            contrast.difference.value,
            contrast.difference.low,
            contrast.difference.high,
        ):
            assert f"{number:+.3f}" in text
    for sentence in (*summary.warnings, *(f.text for f in summary.verdict.flips)):
        # Names of arms are set apart by markup, which must not count as blanks.
        assert "".join(sentence.split()) in "".join(text.split())


def test_page_is_one_file_that_loads_nothing(page: str) -> None:
    seen = _Page(page)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(seen.tags)
    assert seen.tags.count("script") == 2
    assert all(load.startswith("#") for load in seen.loads)
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_only_the_script_that_stands_in_the_page_may_run(page: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "eval(" not in script
    assert "innerHTML" not in script


def test_ids_are_unique_and_every_reference_resolves(page: str) -> None:
    seen = _Page(page)
    assert len(seen.ids) == len(set(seen.ids))
    referred = {load[1:] for load in seen.loads}
    referred |= set(re.findall(r"url\(#([^)]+)\)", page))
    referred |= set(re.findall(r'aria-labelledby="([^"]+)"', page))
    referred |= set(re.findall(r' for="([^"]+)"', page))
    assert referred <= set(seen.ids)


def test_every_plot_has_a_name_and_a_caption(page: str) -> None:
    seen = _Page(page)
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    plots = 7
    assert len(labels) == 2 * plots, "each for wide pages and for narrow"
    assert all(re.search(r"both .*\d\.\d{3}", label) for label in labels)
    assert seen.tags.count("figure") == seen.tags.count("figcaption") == plots


def test_the_first_screen_says_what_how_sure_at_what_cost_and_until_when(
    summary: Summary,
) -> None:
    first = first_screen(summary, measure="token F1")
    both, rag = summary.arms["both"], summary.arms["rag"]
    assert first.headline == "Take both"
    assert "Train the model to read" in first.meaning
    sure, cost, again = (
        " ".join(part) for part in (first.sure, first.cost, first.again)
    )
    assert "On 208 test questions from 26 documents" in sure
    assert f"both scored {both.score.value:.3f}" in sure
    assert "at most 5 of 100" in sure
    assert f"{1000 * both.latency_ms['mean'] / 60_000:.1f} min of machine time" in cost
    assert f"rag {1000 * rag.latency_ms['mean'] / 60_000:.1f} min" in cost
    assert "10.6 min, once" in cost, "634.5 s of training"
    assert "If retrieval found the right passage in fewer than" in again
    assert "compare again" in again


def test_hostile_text_is_shown_and_never_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=60, documents=20)

    def poison(row: dict[str, Any]) -> dict[str, Any] | None:
        if row["system"] not in ("plain", "both"):
            return None
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
    assert seen.tags.count("script") == 2
    assert "img" not in seen.tags
    assert ATTACK in seen.text
    written = write_markdown(run, report(run)).read_text(encoding="utf-8")
    assert "<" not in written.replace("\\<", "")


def test_examples_show_question_answers_and_the_marked_citation(page: str) -> None:
    assert re.search(
        r"<mark>The [\w ]+ is [\w ]+, as the parish roll records\.</mark>", page
    )
    assert "only both is right" in page
    assert "Travellers came for its market" in page
    assert "not cited" in page


def test_json_is_the_documented_contract(summary: Summary) -> None:
    value = json.loads(json.dumps(summary.to_json(), allow_nan=False))
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


def test_terminal_report_is_plain_narrow_and_complete(summary: Summary) -> None:
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


def with_protocol(run: Path, **protocol: Any) -> Path:
    about = json.loads((run / "run.json").read_text())
    about["protocol"] = {"draws": 500, **protocol}
    (run / "run.json").write_text(json.dumps(about))
    return run


def test_costs_and_break_even_agree_to_the_cent_with_the_rows_by_hand(
    tmp_path: Path,
) -> None:
    """Acceptance: recomputed from the lines of the files, with no code of ours."""
    prices = {
        "prompt_tokens": 150.0,
        "output_tokens": 600.0,
        "tuned_prompt_tokens": 300.0,
        "tuned_output_tokens": 1200.0,
        "machine_hour": 40.0,
        "training_hour": 75.0,
        "index_month": 9.0,
        "tuned_month": 20.0,
    }
    run = with_protocol(
        make_run(tmp_path / "run", cases=60, documents=20),
        questions_per_month=4000,
        updates_per_month=2.5,
        horizon_months=6.0,
        prices=prices,
    )
    resources = json.loads((run / "resources.json").read_text())
    resources["retrieval"] = {"index_seconds": 33.0}
    (run / "resources.json").write_text(json.dumps(resources))
    edited = {"seconds_to_fresh": 7.2, "systems": {}}
    (run / "freshness.json").write_text(json.dumps({"figures": edited, "rows": []}))
    rows = [json.loads(line) for line in (run / "rows.jsonl").read_text().splitlines()]

    def mean(arm: str, field: str) -> float:
        found = [row[field] for row in rows if row["system"] == arm]
        return sum(found) / len(found)

    per_answer = {
        arm: (
            mean(arm, "prompt_tokens") * prices[f"{kind}prompt_tokens"]
            + mean(arm, "output_tokens") * prices[f"{kind}output_tokens"]
        )
        / 1e6
        for arm, kind in (
            ("plain", ""),
            ("rag", ""),
            ("tuned", "tuned_"),
            ("both", "tuned_"),
        )
    }
    costs = report(run).to_json()["costs"]
    assert (costs["unit"], costs["currency"], costs["notes"]) == ("money", "USD", [])
    for arm, answer in per_answer.items():
        assert costs["per_1000"][arm] == pytest.approx(1000 * answer, abs=0.005)

    # Setting up, keeping a month, and one update, each in money.
    index, reindex = 33.0 * 40 / 3600, 7.2 * 40 / 3600
    tuned, both = 412.0 * 75 / 3600, 634.5 * 75 / 3600
    made = {
        "rag": (index, 9.0, reindex),
        "tuned": (tuned, 20.0, tuned),
        "both": (both + index, 29.0, reindex),
    }
    for arm, (setup, month, update) in made.items():
        whole = setup + month * 6 + update * 2.5 * 6 + per_answer[arm] * 4000 * 6
        assert costs["a_question"][arm] * 24_000 == pytest.approx(whole, abs=0.005)
    for a, b in (("tuned", "rag"), ("both", "tuned"), ("both", "rag")):
        setup, month, update = (x - y for x, y in zip(made[a], made[b], strict=True))
        once = setup + month * 6 + 2.5 * 6 * update
        found = costs["break_even"][f"{a}-{b}"]
        challenger, incumbent = (a, b) if once > 0 else (b, a)
        assert (found["challenger"], found["incumbent"]) == (challenger, incumbent)
        saved = per_answer[incumbent] - per_answer[challenger]
        if saved <= 0:
            assert found["questions_per_month"] is None
            continue
        # At that many questions a month both spend the same, to the cent.
        q = found["questions_per_month"]
        assert abs(once) == pytest.approx(q * 6 * saved, abs=0.005)


def test_machine_hours_price_the_seconds_that_were_measured(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=40, documents=20)
    costs = report(run, weights={"prices": {"machine_hour": 1.8}}).to_json()["costs"]
    timings = [
        json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()
    ]
    for arm in ("plain", "rag", "tuned", "both"):
        ms = [line["total_ms"] for line in timings if line["system"] == arm]
        price = sum(ms) / len(ms) / 1000 * 1.8 / 3600
        assert costs["per_1000"][arm] == pytest.approx(1000 * price, abs=0.005)


def test_what_was_not_timed_cannot_be_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cases=40, documents=20)
    (run / "timings.jsonl").unlink()
    summary = report(run)
    costs = summary.to_json()["costs"]
    assert costs["unit"] == "tokens"
    assert set(costs["per_1000"].values()) == {None}
    assert set(costs["break_even"].values()) == {None}
    assert "cannot be told from this run" in render_terminal(summary)
    assert not [flip for flip in summary.verdict.flips if flip.what == "volume"]


def test_other_weights_judge_the_same_rows_and_the_page_says_so(
    tmp_path: Path,
) -> None:
    run = with_protocol(make_run(tmp_path / "run", cases=120, documents=24))
    before = (run / "run.json").read_bytes()
    summary = report(run, weights={"latency_limit_ms": 600, "questions_per_month": 50})
    assert (run / "run.json").read_bytes() == before
    assert summary.verdict.arm == "tuned"
    assert set(summary.verdict.gated) == {"rag", "both"}
    assert summary.registered is not None
    assert summary.registered.latency_limit_ms is None
    text = write_markdown(run, summary).read_text(encoding="utf-8").replace("\\", "")
    assert "Weights were changed after the run" in text
    assert "longest an answer may take, ms: 600 instead of none" in text
    assert "questions a month: 50 instead of 10,000" in text
    assert "rag and both were left out as too slow" in text
    assert report(run).verdict.arm == "both"
    with pytest.raises(ConfigError, match="margin is fixed before a run"):
        report(run, weights={"margin": 0.2})


def test_a_learning_curve_and_freshness_are_drawn_where_they_stand(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "run", cases=40, documents=20)
    edit_rows(run, lambda row: row if row["system"] in ("rag", "tuned") else None)
    share = {"value": 0.5, "low": 0.2, "high": 0.8, "n": 12}
    systems = {
        "rag": {
            "update_success": share,
            "stale_rate": share,
            "memorisation_ratio": 0.5,
            "untouched_after": share,
        }
    }
    figures = {"seconds_to_fresh": 1.5, "systems": systems}
    (run / "freshness.json").write_text(json.dumps({"figures": figures}))
    curve: dict[str, Any] = {
        "measure": "token_f1",
        "arm": "tuned",
        "target": 0.6,
        "target_arm": "rag",
        "points": [
            {"cases": n, "seed": 0, "value": v, "low": v - 0.1, "high": v + 0.1}
            for n, v in ((50, 0.2), (100, 0.3), (200, 0.37), (400, 0.42))
        ],
        "forecast": {
            "cases_to_reach": 3100.0,
            "low": 1900.0,
            "high": 3900.0,
            "refused": False,
            "why": "",
            "asymptote": 0.71,
            "curve": [[400, 0.42, 0.4, 0.44], [4000, 0.61, 0.5, 0.7]],
        },
    }
    (run / "learning_curve.json").write_text(json.dumps(curve))
    summary = report(run)
    flip = (
        next(f for f in summary.verdict.flips if f.what == "training_data")
        if summary.verdict.flips
        else None
    )
    html = write_html(run, summary).read_text(encoding="utf-8")
    assert "tuned by training cases: 50 cases, seed 0: 0.200" in html
    assert "rag edited: the new value 0.500" in html
    assert "too far to say" in html
    assert flip is not None
    assert "about 3,100 training cases (between 1,900 and 3,900)" in flip.text
    curve["forecast"] |= {
        "refused": True,
        "cases_to_reach": None,
        "curve": [],
        "why": "it levels off below the target",
    }
    (run / "learning_curve.json").write_text(json.dumps(curve))
    told = [f for f in report(run).verdict.flips if f.what == "training_data"]
    assert [f.value for f in told] == [None]
    assert "it levels off below the target" in told[0].text


def label_run(folder: Path) -> Path:
    """A run of label rows: no question, no documents, neighbours as evidence."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    labels = ("praise", "complaint", "question")
    rows: list[dict[str, Any]] = []
    for number in range(90):
        gold = labels[number % 3]
        for system, share in (
            ("plain", 0.4),
            ("rag", 0.6),
            ("tuned", 0.9),
            ("both", 0.95),
        ):
            said = gold if rng.random() < share else labels[(number + 1) % 3]
            near = [{"document": "train", "start": 0, "end": 1}]
            rows.append(
                {
                    "case": f"t{number}",
                    "system": system,
                    "seed": 0,
                    "question": f"The parcel of day {number} came.",
                    "answers": [gold],
                    "prediction": said,
                    "scores": {"accuracy": float(said == gold)},
                    "hits": near if system in ("rag", "both") else [],
                }
            )
    write_lines(folder / "rows.jsonl", rows)
    passage = {"document": "train", "start": 0, "end": 1, "text": "It came. (praise)"}
    write_lines(folder / "passages.jsonl", [passage])
    about = {
        "task": "classification",
        "measure": "macro_f1",
        "other_measures": ["accuracy"],
        "protocol": {"draws": 300},
    }
    (folder / "run.json").write_text(json.dumps(about))
    return folder


def test_a_label_task_is_told_in_its_own_words(tmp_path: Path) -> None:
    run = label_run(tmp_path / "run")
    summary = report(run)
    html = write_html(run, summary).read_text(encoding="utf-8")
    text = _Page(html).text
    assert "test texts" in text
    assert "your labelled examples" in text
    assert "By kind of case" in text
    assert "complaint" in text
    assert "Looks nothing up." in text
    assert "It came. (praise)" in text
    for word in ("question", "passage", "document"):
        first = first_screen(summary, measure="macro F1")
        said = " ".join((first.meaning, *first.sure, *first.cost, *first.again))
        assert word not in said
    for arm in summary.arms.values():
        assert "grounded" not in arm.measures, "labels are no statements on documents"
        assert "abstained" not in arm.measures


@pytest.mark.parametrize("task", ["translation", "support", "summarization"])
def test_tasks_that_write_look_up_no_documents(tmp_path: Path, task: str) -> None:
    run = label_run(tmp_path / "run")
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**about, "task": task}))
    words = words_of(task)

    text = _Page(write_html(run, report(run)).read_text(encoding="utf-8")).text

    assert words.arms["rag"] in text
    assert "your documents" not in text


def test_page_is_the_same_bytes_when_built_twice(tmp_path: Path) -> None:
    run = label_run(tmp_path / "run")
    edit_rows(run, lambda row: row if row["system"] in ("rag", "both") else None)
    built = [write_html(run, report(run)).read_bytes() for _ in range(2)]
    assert built[0] == built[1]


def test_tags_are_read_as_the_names_that_they_mark() -> None:
    tags = TAG_END.join(("B-PER", "I-PER", "O", "B-LOC"))
    words = "Ada Byron in London"
    assert readable(tags, words, task="ner") == "Ada Byron (PER), London (LOC)"
    assert readable(TAG_END.join("OOOO"), words, task="ner") == "no name"
    assert readable("as it is", "", task="qa") == "as it is"


def test_markdown_holds_the_verdict_and_every_arm(run: Path, summary: Summary) -> None:
    text = write_markdown(run, summary).read_text(encoding="utf-8")
    assert text.startswith("# Take both\n")
    for name, arm in summary.arms.items():
        assert re.search(rf"^\| {name} \| {arm.score.value:.3f} ", text, re.MULTILINE)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {6, 8}


def test_rows_as_parquet_say_what_the_json_lines_say(run: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = write_parquet(run, tmp_path / "deep" / "rows.parquet")
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    rows = [json.loads(line) for line in (run / "rows.jsonl").read_text().splitlines()]
    assert len(found) == len(rows)
    for one, row in zip(found, rows, strict=True):
        for name in (
            "case",
            "system",
            "seed",
            "question",
            "prediction",
            "hit",
            "error",
        ):
            assert one[name] == row[name]
        assert one["score_token_f1"] == row["scores"]["token_f1"]
        assert [c["text"] for c in one["citations"]] == [
            c["text"] for c in row["citations"]
        ]
        assert one["total_ms"] > 0


def test_cases_are_chosen_by_pattern_up_to_a_bound(run: Path) -> None:
    from groundtune.measure.rows import Row
    from groundtune.measure.summary import by_system

    rows = [
        Row.from_json(json.loads(line))
        for line in (run / "rows.jsonl").read_text().splitlines()
    ]
    found = disagreements(by_system(rows), {}, measure="token_f1")
    assert len(found) == 40
    assert {one.right for one in found} >= {("both",), ("tuned", "both")}
    for one in found:
        assert one.right == tuple(r.arm for r in one.replies if r.right)
        assert 0 < len(one.right) < 4


def test_diagnostics_are_told_with_a_direction_only_where_it_is_clear(
    summary: Summary,
) -> None:
    told = dict(meanings(summary))
    assert "does worse: it is training with evidence" in told["naive both"]
    assert (
        "does better than rag: that much is lost in retrieval"
        in (told["right passage, base"])
    )
    naive = summary.diagnostics["naive_both"]
    same = replace(naive, score=summary.arms["both"].score)
    told = dict(meanings(replace(summary, diagnostics={"naive_both": same})))
    assert "cannot be told apart" in told["naive both"]
