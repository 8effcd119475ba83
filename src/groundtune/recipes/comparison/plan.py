"""The systems of a comparison: what each is made of, and the steps that make it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from groundtune.augment.prompt import INSTRUCTION
from groundtune.config.compare import CLOSED_BOOK_READING
from groundtune.config.training import ContextSettings
from groundtune.data.splits import sample_cases
from groundtune.measure.answers import PRIMARY
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.adapters import AdapterJob, train_adapter
from groundtune.recipes.comparison.answering import (
    make_row,
    write_copied_rows,
    write_rows,
)
from groundtune.recipes.comparison.curve import (
    curve_name,
    is_curve,
    nested_parts,
    write_curve,
)
from groundtune.recipes.comparison.forgetting import BASE, measure_forgetting
from groundtune.recipes.comparison.knowledge import (
    KnowledgeJob,
    gather_evidence,
)
from groundtune.recipes.comparison.reading import read_evidence, reading_style
from groundtune.recipes.comparison.styles import (
    StyleJob,
    candidate_styles,
    choose_style,
)
from groundtune.retrieve.query_adapter import adapter_file
from groundtune.store.files import read_json, write_json
from groundtune.systems.build import SystemSpec

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import Answer, QaCase
    from groundtune.data.splits import Splits
    from groundtune.store.run import RunFolder

AdapterKind = Literal["closed-book", "context"]


@dataclass(slots=True, kw_only=True)
class Plan:
    """Makes each part of a run once; what stands in the run folder is taken up."""

    run: RunFolder
    settings: CompareSettings
    splits: Splits
    kb: Path
    model: str
    embedder: str
    _found: dict[str, Any] = field(default_factory=dict[str, Any])
    _nearest: dict[str, str] = field(default_factory=dict[str, str])
    _retrieval: dict[str, Any] = field(default_factory=dict[str, Any])
    _reading: ContextSettings = field(default_factory=ContextSettings)
    """What the arms read that learned to read."""
    _ranking: str = ""
    """File of what was learned about ranking sentences; empty: nothing that pays."""
    _styles: dict[str, Any] = field(default_factory=dict[str, Any])

    def search(self, progress: Progress) -> dict[str, float]:
        """Search for every case once, with the settings that all arms share.

        Returns:
            Figures on what was found, such as `dev_hit_rate`.
        """
        path = self.run.path / "evidence.json"
        if not path.exists():
            job = KnowledgeJob(
                kb=str(self.kb),
                embedder=self.embedder,
                cases=str(self.run.path / "cases"),
                out=str(path),
                retrieval=self.settings.retrieval,
                seed=self.settings.seed,
                teaches_reading=self.settings.needs_context,
                reading=self.settings.reading,
            )
            done = run_in_child(gather_evidence, job, progress=progress)
            self.run.add_resources("retrieval", peak_memory_mb=done.peak_memory_mb)
        written = read_json(path)
        self._found, self._nearest = written["cases"], written["nearest"]
        self._retrieval = written["retrieval"]
        self._reading = ContextSettings(**written["reading"])
        if learned := written["ranking"]["adapter"]:
            self._ranking = str(adapter_file(self.run.path, learned))
        return written["figures"]

    def untrained(self) -> list[str]:
        """Systems of published weights, and those of none, in the order of rows."""
        return [name for name in ("plain", "rag") if name in self.settings.arms] + [
            name
            for name in ("right_passage_base", "random_passages", "nearest_answer")
            if name in self.settings.diagnostics
        ]

    def trained(self) -> list[str]:
        """Systems of tuned weights, in the order of rows."""
        return [name for name in ("tuned", "both") if name in self.settings.arms] + [
            name
            for name in (
                "naive_both",
                CLOSED_BOOK_READING,
                "right_passage_tuned",
                "context_without_documents",
            )
            if name in self.settings.diagnostics
        ]

    def adapters(self) -> list[AdapterKind]:
        """Adapters that those need."""
        wanted: list[AdapterKind] = []
        if self.settings.needs_closed_book:
            wanted.append("closed-book")
        if self.settings.needs_context:
            wanted.append("context")
        return wanted

    def choose_styles(self, progress: Progress) -> None:
        """Try the candidate prompts of plain and rag on dev cases; keep the best.

        Passed over where nothing is asked of the model as published.
        """
        if not self.untrained() and not self.settings.probe_cases:
            return
        path = self.run.path / "styles.json"
        if not path.exists():
            splits, settings = self.splits, self.settings
            styles = candidate_styles(splits.train, self._found)
            cases = sample_cases(
                splits.dev, limit=settings.style_cases, seed=settings.seed
            )
            chosen: dict[str, Any] = {}
            for arm in ("plain", "rag"):
                job = StyleJob(
                    spec=self._spec(arm, settings.seed, style=asdict(INSTRUCTION)),
                    styles=styles,
                    cases=cases,
                )
                done = run_in_child(choose_style, job, progress=progress)
                chosen[arm] = done.result
            write_json(path, chosen)
        self._styles = read_json(path)

    def train(self, kind: AdapterKind, seed: int, progress: Progress) -> None:
        """Train one adapter, unless its model folder stands."""
        spent = self._trained(
            kind, self._folder(kind, seed), self.splits.train, seed, progress
        )
        if spent:
            self.run.add_resources("both" if kind == "context" else "tuned", **spent)

    def follow_curve(self, progress: Progress) -> None:
        """Tuned on nested parts of its cases, and the forecast."""
        seed, train = self.settings.seed, self.splits.train
        for part in nested_parts(train, seed=seed):
            name = curve_name(len(part))
            folder = self.run.path / "models" / name
            self._trained("closed-book", folder, part, seed, progress)
            self.answer(name, seed, progress)
        write_curve(self.run, measure=PRIMARY, cases=len(train), seed=seed)

    def _trained(
        self,
        kind: AdapterKind,
        out: Path,
        train: tuple[QaCase, ...],
        seed: int,
        progress: Progress,
    ) -> dict[str, Any]:
        """Train an adapter, unless its folder stands; what it took, if it was done."""
        if (out / "groundtune.json").exists():
            return {}
        settings = self.settings
        dev = sample_cases(
            self.splits.dev, limit=settings.dev_cases, seed=settings.seed
        )
        is_context = kind == "context"
        job = AdapterJob(
            kind=kind,
            base=self.model,
            out=str(out),
            train=train,
            dev=dev,
            settings=settings.context if is_context else settings.closed_book,
            reading=self._reading,
            ranking=self._ranking if is_context else "",
            evidence={
                case.id: read_evidence(self._found[case.id]["reading"])
                for case in (*train, *dev)
            }
            if is_context
            else {},
            seed=seed,
        )
        done = run_in_child(train_adapter, job, progress=progress)
        return {
            "train_seconds": round(done.result["train_seconds"], 1),
            "train_tokens": done.result["training"]["tokens"],
            "train_peak_memory_mb": round(done.peak_memory_mb),
        }

    def answer(self, name: str, seed: int, progress: Progress) -> None:
        """Bring the rows of one system to completion."""
        cases = self.splits.test
        if name == "nearest_answer":
            write_copied_rows(self.run, name, cases, answers=self._nearest, seed=seed)
            return
        if name.startswith("right_passage"):
            # Where the right passage is not known there is nothing to give.
            cases = tuple(c for c in cases if self._found[c.id]["gold"])
        if not cases:
            return
        gold = {case.id: self._found[case.id]["gold"] for case in cases}
        spec = self._spec(name, seed)

        def row(case: QaCase, answer: Answer, error: str | None) -> dict[str, Any]:
            right = gold.get(case.id, ())
            return make_row(spec, case, answer, gold=right, seed=seed, error=error)

        write_rows(self.run, spec, cases, make=row, seed=seed, progress=progress)

    def probe(self, progress: Progress) -> None:
        """Ask tuned models what the model as published knows, without documents."""
        systems = {"tuned": "tuned", "both": "context_without_documents"}
        specs = {
            arm: self._spec(name, self.settings.seed)
            for arm, name in systems.items()
            if arm in self.settings.arms
        }
        if specs and self.settings.probe_cases:
            specs = {BASE: self._spec(BASE, self.settings.seed), **specs}
            limit = self.settings.probe_cases
            measure_forgetting(self.run, specs, limit=limit, progress=progress)

    def _spec(
        self, name: str, seed: int, *, style: dict[str, Any] | None = None
    ) -> SystemSpec:
        """What the system of this name is made of."""
        reads = name in {"rag", "both", "naive_both"}
        if is_curve(name):
            model = str(self.run.path / "models" / name)
        elif name in {"tuned", "naive_both", CLOSED_BOOK_READING}:
            model = str(self._folder("closed-book", seed))
        elif name in {"both", "right_passage_tuned", "context_without_documents"}:
            model = str(self._folder("context", seed))
        else:
            model = self.model
        learned: dict[str, Any] = asdict(reading_style(self._reading))
        if style is None and model == self.model:
            learned = self._styles["plain" if name == "plain" else "rag"]["style"]
        given = self._given(name)
        return SystemSpec(
            name=name,
            model=model,
            style=style or learned,
            kb=str(self.kb) if reads else "",
            embedder=self.embedder if reads or given else "",
            retrieval=self._retrieval if reads else {},
            ranking=self._ranking if reads or given else "",
            given=given,
            max_tokens=self.settings.answer_tokens,
        )

    def _given(self, name: str) -> dict[str, list[dict[str, Any]]] | None:
        """Passages chosen beforehand, by test case, for the systems that get them."""
        found = {case.id: self._found[case.id] for case in self.splits.test}
        if name.startswith("right_passage"):
            return {case: one["gold"][:1] for case, one in found.items() if one["gold"]}
        if name == "random_passages":
            return {case: one["random"] for case, one in found.items()}
        return None

    def _folder(self, kind: AdapterKind, seed: int) -> Path:
        suffix = "" if seed == self.settings.seed else f"-seed-{seed}"
        return self.run.path / "models" / f"{kind}{suffix}"
