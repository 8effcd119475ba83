"""The four arms of fact-checking, and two that explain them, on the same claims.

    plain   a generator as published, asked without evidence
    rag     the same, asked with the retrieved evidence
    tuned   an encoder trained on claims alone: what their wording gives away
    both    the verdict model, trained with evidence and given it

Beside them the rule on wording, and the most frequent label of the training claims.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError
from groundtune.core.fingerprint import file_sha256, fingerprint
from groundtune.core.protocols import silent
from groundtune.recipes.ask import DEFAULT_GENERATOR
from groundtune.recipes.check import open_any_judge
from groundtune.recipes.checking.reading import (
    find_evidence,
    open_finder,
    read_side,
)
from groundtune.recipes.checking.verdicts import (
    judged,
    label_measures,
    on_right_evidence,
    recall_measure,
    right_evidence_measures,
)
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.tune_fact_check import tune_claims, tune_verdict_model
from groundtune.store.download import default_cache
from groundtune.store.models import open_model
from groundtune.systems.fact_checker import SideJudge
from groundtune.systems.judges import (
    ClaimJudge,
    RuleJudge,
    open_engine_judge,
)
from groundtune.systems.labeller import open_labeller
from groundtune.tasks.fact_check import LABELS, NAME

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.core.values import FactLabel

FACT_ARMS = ("plain", "rag", "tuned", "both", "rule", "majority")
"""In the order they are shown; the last two explain and cannot win."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEvaluation:
    """What `evaluate fact_check --json` prints."""

    arms: dict[str, dict[str, Any]]
    """Arm to its measures."""
    evidence: dict[str, Any]
    """Measures of what was retrieved, the same for all arms."""
    claims: int
    models: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        best = self.arms.get("both") or next(iter(self.arms.values()))
        return {
            "task": NAME,
            "system": "both" if "both" in self.arms else next(iter(self.arms)),
            "score": best["macro_f1"],
            "measures": {**best, **self.evidence},
            "arms": self.arms,
            "claims": self.claims,
            "models": self.models,
        }


def measure_fact_check(
    *,
    kb: Path,
    cases: Path,
    train: Path | None = None,
    model: str | None = None,
    generator: str | None = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    out: Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress = silent,
) -> FactEvaluation:
    """Measure each arm of fact-checking on labelled claims.

    Args:
        kb: Knowledge base that the claims are about.
        cases: Claims to measure on; nothing is chosen on them.
        train: Claims to train `tuned` and `both` on; those arms are left out without.
        model: A verdict model to measure as `both`, instead of training one.
        generator: What `plain` and `rag` ask; None leaves them out.
        embedder: The one that made the knowledge base.
        out: Folder for the trained models; None: one in the user's cache.
        seed: Of training and of the bootstrap.
        limit: Measure on the first so many claims; None: on all.
        progress: Told of each step.

    Raises:
        ConfigError: There is no arm to measure.
        DataError: A file holds no claims.
        StoreError: There is no knowledge base, or another embedder made it.
    """
    if train is None and model is None and generator is None:
        raise ConfigError(
            "no arm to measure",
            fix="give --train, --model or --generator",
            where="evaluate fact_check",
        )
    listed, gold = read_side(cases)
    listed = listed[:limit]
    models: dict[str, str] = {}
    if train is not None:
        place = out or _cached(train, cases, kb, seed=seed)
        models["tuned"] = str(place / "tuned")
        tune_claims(
            train=train, test=cases, out=place / "tuned", seed=seed, progress=progress
        )
        if model is None:
            model = str(place / "both")
            tune_verdict_model(
                train=train,
                test=cases,
                kb=kb,
                out=place / "both",
                embedder=embedder,
                seed=seed,
                progress=progress,
            )
    finder = open_finder(kb, embedder=embedder, progress=progress)
    claims = find_evidence(
        listed, gold, finder=finder, label="evidence", progress=progress
    )
    arms: dict[str, dict[str, Any]] = {}
    if generator is not None:
        open_model(generator, kind="generator", progress=progress)
        asked = open_engine_judge(generator)
        models["plain"] = models["rag"] = generator
        said: list[FactLabel] = []
        for number, case in enumerate(claims.cases):
            progress("plain", number, len(claims.cases))
            said.append(asked.asked(case.claim, None))
        arms["plain"] = label_measures(claims, said, seed=seed)
        arms["rag"] = label_measures(
            claims, judged(asked, claims, label="rag", progress=progress), seed=seed
        )
    if "tuned" in models:
        judge = ClaimJudge(open_labeller(models["tuned"]))
        texts = [case.claim for case in claims.cases]
        arms["tuned"] = label_measures(claims, judge.labels(texts), seed=seed)
    if model is not None:
        models["both"] = model
        judging = open_any_judge(model)
        decided = (
            on_right_evidence(claims, judging) if isinstance(judging, SideJudge) else ()
        )
        arms["both"] = {
            **label_measures(
                claims,
                judged(judging, claims, label="both", progress=progress),
                seed=seed,
            ),
            **right_evidence_measures(decided, seed=seed),
        }
    arms["rule"] = label_measures(
        claims, judged(RuleJudge(), claims, label="rule", progress=progress), seed=seed
    )
    known = read_side(train)[0] if train is not None else claims.cases
    counted = Counter(case.label for case in known)
    usual: FactLabel = max(LABELS, key=lambda label: counted[label])
    always: list[FactLabel] = [usual for _ in claims.cases]
    arms["majority"] = label_measures(claims, always, seed=seed)
    return FactEvaluation(
        arms={name: arms[name] for name in FACT_ARMS if name in arms},
        evidence={"evidence_recall@5": recall_measure(claims, seed=seed)},
        claims=len(claims.cases),
        models=models,
    )


def _cached(train: Path, cases: Path, kb: Path, *, seed: int) -> Path:
    """Where the models of this measurement are kept, so that it can be gone on with."""
    what = [file_sha256(train), file_sha256(cases), str(kb.resolve()), seed]
    name = fingerprint(what).split("-")[1]
    return default_cache() / "evaluations" / f"{NAME}-{name}"
