"""Recipes that work without models, put in the place of the real ones."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.cli.main import run
from groundtune.core.errors import DataError
from groundtune.core.values import Answer, Citation, Hit, Passage, Timing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HIT = Hit(
    passage=Passage(
        id="p1", document="moon.md", start=7, end=30, text="The first\nwas Odrane."
    ),
    score=0.75,
    metadata={"lang": "en"},
)
CITED = Citation(document="moon.md", start=17, end=28, text="was Odrane.")


@dataclass
class IngestReport:
    added: int = 2
    updated: int = 0
    moved: int = 0
    deleted: int = 0
    unchanged: int = 1
    passages: int = 9
    failed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    warnings: tuple[str, ...] = ()


@dataclass
class TuneReport:
    model: Path
    task: str = "qa"
    base: str = "small"
    dev: dict[str, float] = field(
        default_factory=lambda: {"value": 0.5, "low": 0.4, "high": 0.6, "n": 80}
    )
    test: dict[str, float] | None = None
    seconds: float = 12.0
    right_passage: dict[str, float | int] | None = None


class Summary:
    def to_json(self) -> dict[str, Any]:
        return {"task": "qa", "verdict": {"arm": None, "decided": False}}


@dataclass
class Entry:
    name: str = "small"
    kind: str = "generator"
    description: str = "a small one"
    licence: str = "Apache-2.0"
    source: str = "small-wheel 1.0"
    megabytes: float = 93.0
    cached: bool = False


@dataclass
class Recipes:
    """What the verbs called, and what the recipes shall do."""

    calls: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )
    failed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    error: BaseException | None = None

    def record(self, name: str, **arguments: Any) -> None:
        self.calls.append((name, arguments))
        progress = arguments.get("progress")
        if progress is not None:
            progress("working", 1, 2)
        if self.error is not None:
            raise self.error

    def ingest(self, paths: tuple[Path, ...], **options: Any) -> IngestReport:
        self.record("ingest", paths=paths, **options)
        return IngestReport(failed=self.failed)

    def search(self, query: str, **options: Any) -> list[Hit]:
        self.record("search", query=query, **options)
        return [HIT]

    def ask(self, question: str, **options: Any) -> Answer:
        self.record("ask", question=question, **options)
        if options["on_text"] is not None:
            for piece in ("Odr", "ane"):
                options["on_text"](piece)
        return Answer(
            text="Odrane",
            citations=(CITED,),
            hits=(HIT,),
            timing=Timing(retrieve_ms=1.0, first_token_ms=2.0, total_ms=4.0),
        )

    def tune(self, task: str, **options: Any) -> TuneReport:
        self.record("tune", task=task, **options)
        return TuneReport(model=options["out"])

    def compare(self, task: str, **options: Any) -> Summary:
        self.record("compare", task=task, **options)
        return Summary()

    def demo(self, **options: Any) -> Summary:
        self.record("demo", **options)
        return Summary()

    def report(self, run: Path, **options: Any) -> Summary:
        self.record("report", run=run, **options)
        if not (run / "rows.jsonl").exists():
            raise DataError("no rows", fix="name the folder of a run", where=str(run))
        return Summary()

    def render_terminal(self, summary: Summary) -> str:
        return f"task {summary.to_json()['task']}: undecided"

    def write_html(self, run: Path, summary: Summary) -> Path:
        return run / "report.html"

    def write_markdown(self, run: Path, summary: Summary) -> Path:
        return run / "report.md"

    def write_parquet(self, run: Path, path: Path) -> Path:
        self.record("write_parquet", run=run, path=path)
        return path

    def models(self) -> list[Entry]:
        return [Entry(), Entry(name="here", cached=True)]


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Recipes:
    found = Recipes()
    places = {
        "report": (
            "report",
            "render_terminal",
            "write_html",
            "write_markdown",
            "write_parquet",
        ),
        **{n: (n,) for n in ("ingest", "search", "ask", "tune", "compare", "demo")},
        "models": ("models",),
    }
    for module, names in places.items():
        full = f"groundtune.recipes.{module}"
        made = ModuleType(full)
        for name in names:
            setattr(made, name, getattr(found, name))
        monkeypatch.setitem(sys.modules, full, made)
    return found


@dataclass(frozen=True)
class Ended:
    """What a person sees of one command."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def ended(*args: str | Path) -> Ended:
        with pytest.raises(SystemExit) as stop:
            run([str(arg) for arg in args])
        assert isinstance(stop.value.code, int)
        shown = capsys.readouterr()
        return Ended(stop.value.code, shown.out, shown.err)

    return ended
