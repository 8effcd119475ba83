"""`compare fact_check`: evidence is what a knowledge base holds on a claim.

plain judges the claim alone, rag beside what is retrieved, tuned learned from claims
alone, and both from claims beside what is retrieved for them. Each step leaves its
result in the run folder and is passed over when it stands there.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.recipes.checking.reading import (
    DEV_SHARE,
    divided,
    read_side,
    without,
)
from groundtune.recipes.checking.verdicts import macro_f1
from groundtune.recipes.comparison.answering import hit_places, write_rows
from groundtune.recipes.comparison.choices import chosen_once
from groundtune.recipes.comparison.elsewhere import made_with
from groundtune.recipes.comparison.notice import after_untrained
from groundtune.recipes.comparison.prepare import documents_fingerprint, versions
from groundtune.recipes.ingest import ingest
from groundtune.recipes.tune_fact_check import tune_claims, tune_verdict_model
from groundtune.retrieve.settings import chosen_settings
from groundtune.store.files import write_atomic
from groundtune.store.run import RunFolder
from groundtune.systems.fact_arm import FactSpec, FactSystem
from groundtune.systems.fact_checker import PASSAGES
from groundtune.tasks.fact_check import NAME, PRIMARY_MEASURE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import Answer, FactCase
    from groundtune.recipes.child import Channel
    from groundtune.recipes.comparison.prepare import Sources

SHARES = (0.55, 0.1, 0.35)
"""Of one file of claims: to learn from, to choose by, to measure on."""
_CHOOSING_CASES = 60
"""Dev claims on which rag chooses its judge: a generator reads for each of them."""
_SIDES = ("train", "dev", "test")


def compare_claims(
    *,
    out: Path,
    sources: Sources,
    model: str,
    embedder: str,
    settings: CompareSettings,
    progress: Progress,
    tell: Callable[[str], None],
) -> None:
    """Bring the rows of all arms to completion.

    Args:
        out: Run folder.
        sources: Claims and documents.
        model: Generator that plain and rag ask.
        embedder: For documents that are indexed here.
        settings: Arms, seeds, limit.
        progress: Told how far each step is.
        tell: Told what is worth knowing before time is spent.

    Raises:
        ConfigError: Arguments contradict one another, or the folder's run.
        DataError: Claims or documents cannot be used.
        GroundtuneError: A model or a store fails; what was done stands.
    """
    # 1) Read, split, freeze.
    generator = made_with(model, kind="generator", progress=progress)
    finder = made_with(embedder, kind="embedder", progress=progress)
    sides = _sides(sources, settings)
    run = RunFolder.create_or_resume(
        out,
        {
            **settings.registered,
            "task": NAME,
            "measure": PRIMARY_MEASURE,
            "other_measures": [],
            "settings": {
                "arms": list(settings.arms),
                "seed": settings.seed,
                "training_seeds": settings.training_seeds,
                "limit": settings.limit,
            },
            "cases": {
                "fingerprint": fingerprint(
                    {side: [asdict(c) for c in cases] for side, cases in sides.items()}
                ),
                **{side: len(cases) for side, cases in sides.items()},
            },
            "documents": documents_fingerprint(sources),
            "generator": generator,
            "embedder": finder,
            "versions": versions(),
        },
    )
    tell(", ".join(f"{len(cases):,} {side} claims" for side, cases in sides.items()))
    lines = _lines(sources)
    for side, cases in sides.items():
        text = "".join(lines[case.id] for case in cases)
        write_atomic(out / "cases" / f"{side}.jsonl", text)
    kb = sources.kb or out / "kb"
    if sources.kb is None:
        ingest(
            sources.docs,
            kb=kb,
            model=embedder,
            progress=progress,
            exclude=sources.case_files,
        )
    plan = _ClaimPlan(
        run=run,
        sides=sides,
        kb=kb,
        model=model,
        embedder=embedder,
        settings=settings,
        progress=progress,
    )

    # 2) What needs no training; rag's judge is set on dev claims.
    for name in ("plain", "rag"):
        if name in settings.arms:
            plan.answer(plan.untrained(name), settings.seed)
    for line in after_untrained(run, measure=PRIMARY_MEASURE):
        tell(line)

    # 3) Train both judges, once a seed.
    for number in range(settings.training_seeds):
        for name in ("tuned", "both"):
            if name in settings.arms:
                seed = settings.seed + number
                plan.train(name, seed)
                plan.answer(plan.trained(name, seed), seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """Judges of the same evidence, and dev claims to try them on."""

    specs: tuple[FactSpec, ...]
    dev: tuple[FactCase, ...]


def choose_judge(job: JudgeChoice, channel: Channel) -> dict[str, Any]:
    """The judge with the best macro F1 on dev claims, and what each scored."""
    scores: dict[str, float] = {}
    for spec in job.specs:
        system = FactSystem(spec)
        said: list[str] = []
        for case in job.dev:
            said.append(system.answer(case).text)
            channel.progress(f"rag: trying {spec.judge}", len(said), len(job.dev))
        scores[spec.judge] = macro_f1([case.label for case in job.dev], said)
    best = max(job.specs, key=lambda spec: scores[spec.judge])
    return {"set": {"judge": best.judge, "model": best.model}, "scores": scores}


@dataclass(slots=True, kw_only=True)
class _ClaimPlan:
    """Makes each part of a run once; what stands in the run folder is taken up."""

    run: RunFolder
    sides: dict[str, tuple[FactCase, ...]]
    kb: Path
    model: str
    embedder: str
    settings: CompareSettings
    progress: Progress

    def untrained(self, name: str) -> FactSpec:
        """plain, or rag with the judge that does best on dev claims."""
        if name == "plain":
            return FactSpec(name=name, judge="generator", model=self.model)
        spec = self._reading(name, FactSpec(name=name, judge="rule"))
        asked = replace(spec, judge="generator", model=self.model)
        job = JudgeChoice(specs=(asked, spec), dev=self.sides["dev"][:_CHOOSING_CASES])
        chosen = chosen_once(self.run, name, choose_judge, job, progress=self.progress)
        return replace(spec, **chosen)

    def trained(self, name: str, seed: int) -> FactSpec:
        """The judge that was trained without evidence, or with it."""
        model = str(self._model(name, seed))
        if name == "tuned":
            return FactSpec(name=name, judge="claims", model=model)
        return self._reading(name, FactSpec(name=name, judge="verdict", model=model))

    def train(self, name: str, seed: int) -> None:
        """Train a judge, unless its folder stands."""
        out = self._model(name, seed)
        known = self.run.resources().get(name, {})
        if "train_seconds" in known and out.exists():
            return
        files = {side: self.run.path / "cases" / f"{side}.jsonl" for side in _SIDES}
        began = time.perf_counter()
        if name == "tuned":
            tune_claims(
                train=files["train"],
                dev=files["dev"],
                test=files["test"],
                out=out,
                seed=seed,
                progress=self.progress,
            )
        else:
            tune_verdict_model(
                train=files["train"],
                dev=files["dev"],
                kb=self.kb,
                out=out,
                embedder=self.embedder,
                seed=seed,
                progress=self.progress,
            )
        seconds = round(time.perf_counter() - began, 1)
        self.run.add_resources(name, train_seconds=seconds)

    def answer(self, spec: FactSpec, seed: int) -> None:
        """Bring the rows of one system to completion."""

        def row(case: FactCase, answer: Answer, error: str | None) -> dict[str, Any]:
            return claim_row(spec, case, answer, seed=seed, error=error)

        write_rows(
            self.run,
            spec,
            self.sides["test"],
            make=row,
            seed=seed,
            progress=self.progress,
        )

    def _model(self, name: str, seed: int) -> Path:
        return self.run.path / "models" / f"{name}-{seed}"

    def _reading(self, name: str, spec: FactSpec) -> FactSpec:
        """With evidence, retrieved in the same way for every arm that reads."""
        found = chosen_settings(self.kb, k=PASSAGES, widen="neighbours")
        return replace(
            spec,
            name=name,
            kb=str(self.kb),
            embedder=self.embedder,
            retrieval=asdict(found),
            passages=PASSAGES,
        )


def claim_row(
    spec: FactSpec, case: FactCase, answer: Answer, *, seed: int, error: str | None
) -> dict[str, Any]:
    """The row of one claim. Macro F1 is of a whole set, and made of its rows."""
    documents = [hit.passage.document for hit in answer.hits]
    is_sought = bool(spec.kb) and bool(case.source)
    is_hit = case.source in documents
    return {
        "case": case.id,
        "system": spec.name,
        "seed": seed,
        "group": case.group or case.source or case.id,
        "question": case.claim,
        "answers": [case.label],
        "prediction": answer.text,
        "scores": {"accuracy": 0.0 if error else float(answer.text == case.label)},
        "citations": [
            {key: value for key, value in asdict(one).items() if key != "sentence"}
            for one in answer.citations
        ],
        "hits": hit_places(answer),
        "hit": is_hit if is_sought else None,
        "rank": documents.index(case.source) + 1 if is_sought and is_hit else None,
        "prompt_tokens": answer.usage.prompt_tokens,
        "output_tokens": answer.usage.output_tokens,
        "error": error,
    }


def _sides(
    sources: Sources, settings: CompareSettings
) -> dict[str, tuple[FactCase, ...]]:
    """Claims by side, no document on two of them where one file is divided.

    Raises:
        DataError: A side is left without claims.
    """
    seed = settings.seed
    if sources.cases is not None:
        everything = read_side(sources.cases)[0]
        train, dev, test = divided(everything, shares=SHARES, seed=seed)
    else:
        assert sources.train is not None, "checked by the recipe"
        assert sources.test is not None, "checked by the recipe"
        train, test = read_side(sources.train)[0], read_side(sources.test)[0]
        if sources.dev is not None:
            dev = read_side(sources.dev)[0]
        else:
            train, dev = divided(train, shares=(1 - DEV_SHARE, DEV_SHARE), seed=seed)
    sides = {"train": train, "dev": dev, "test": test}
    for side in _SIDES:
        where = sources.cases or getattr(sources, side) or sources.case_files[0]
        if side != "test" and sides[side]:
            sides[side] = without(sides[side], sides["test"], where=where)
        if not sides[side]:
            raise DataError(
                f"no {side} claims are left",
                fix="give more claims, or other files",
                where=str(where),
            )
    if settings.limit is not None and settings.limit < len(sides["test"]):
        share = settings.limit / len(sides["test"])
        shares = (share, 1 - share)
        sides["test"] = divided(sides["test"], shares=shares, seed=seed)[0]
    return sides


def _lines(sources: Sources) -> dict[str, str]:
    """Claims as the reader understood them, by id, to be read again for training."""
    lines: dict[str, str] = {}
    for path in sources.case_files:
        cases, gold = read_side(path)
        for case in cases:
            evidence = [one._asdict() for one in gold[case.id]]
            raw = {
                "id": case.id,
                "claim": case.claim,
                "label": case.label,
                "evidence": evidence,
                "group": case.group,
            }
            lines[case.id] = json.dumps(raw, ensure_ascii=False) + "\n"
    return lines
