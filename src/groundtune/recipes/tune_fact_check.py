"""The job `tune fact_check`: claims in, a verdict model for a knowledge base out.

A small encoder learns to read a claim beside sentences of a document. What it learns
from is retrieved as it will be in service, so that it meets there what it has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.config.encoder import EncoderSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent, unheard
from groundtune.recipes.ask import DEFAULT_GENERATOR
from groundtune.recipes.checking.lessons import claim_lessons, pair_lessons
from groundtune.recipes.checking.reading import (
    Claims,
    find_evidence,
    open_finder,
    read_side,
    share,
    without,
)
from groundtune.recipes.checking.verdicts import (
    claim_logits,
    fit_decision,
    label_measures,
    on_right_evidence,
    recall_measure,
    right_evidence_measures,
    verdicts,
)
from groundtune.recipes.checking.weighed import weigh
from groundtune.recipes.child import run_in_child
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.labelling import LabelJob, train_label_model
from groundtune.recipes.labels.settings import with_changes
from groundtune.store.files import write_json, write_lock
from groundtune.store.models import open_model
from groundtune.store.tuned import check_place
from groundtune.systems.judges import DECISION, Decision, TunedJudge, write_fields
from groundtune.systems.labeller import open_labeller
from groundtune.systems.verdict_models import is_weighed
from groundtune.tasks.fact_check import LABELS, NAME, PRIMARY_MEASURE, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.core.values import FactCase
    from groundtune.data.claims import DocumentEvidence

STRATEGIES = ("auto", "head", "likelihood", "full")
SETTINGS = EncoderSettings(
    strategy="full",
    learning_rate=1e-4,
    epochs=4.0,
    max_tokens=128,
    evaluations=4,
    averaging=0.99,
    class_weights="balanced",
)
"""What `tune fact_check` trains with, unless told otherwise; see decision 0022."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactReport:
    """What `tune --json` prints for fact-checking."""

    model: str
    """Folder of the verdict model."""
    task: str
    base: str
    dev: dict[str, float | int] | None
    """Macro F1 with its interval; None where nothing was held out."""
    test: dict[str, float | int] | None
    seconds: float
    """Of training alone."""
    labels: list[str]
    lessons: int
    """Pairs of claim and evidence that it learned from."""
    decision: dict[str, Any]
    """What is added to its logits, fitted to dev claims."""
    measures: dict[str, dict[str, Any]]
    """Every measure, by side."""
    left_out: int
    """Training claims that also stand among dev or test claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Claims by side, before evidence was found for them."""

    cases: Mapping[str, tuple[FactCase, ...]]
    gold: Mapping[str, tuple[DocumentEvidence, ...]]
    """By case id, of all sides."""
    left_out: int


def tune_verdict_model(
    *,
    train: Path,
    kb: Path,
    out: Path,
    dev: Path | None = None,
    test: Path | None = None,
    base: str | None = None,
    embedder: str = DEFAULT_EMBEDDER,
    strategy: str = "auto",
    seed: int = 0,
    changes: Mapping[str, str] | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> FactReport:
    """Train a verdict model on claims, and score it on claims it did not see.

    Args:
        train: Claims with labels; with evidence where it is known.
        kb: Knowledge base that the claims are about.
        out: Folder of the model; interrupted training is gone on with.
        dev: Claims that choose the best weights and fit the threshold; some of `train`
            if not given and there is enough.
        test: Claims to score on, once, if any.
        base: Encoder that `full` starts from, or generator that `likelihood` asks;
            None: the default one.
        embedder: The one that made the knowledge base.
        strategy: `head` weighs the wording of claim and evidence, in seconds;
            `likelihood` beside it how likely a generator finds the claim and its
            opposite; `full` trains an encoder on pairs of claim and evidence. `auto` is
            `head`: see decisions 0022 and 0033.
        seed: Of every draw.
        changes: Single settings of training to change, by name, as text.
        progress: Told how far each step is.
        tell: Called with what is worth knowing before time is spent.

    Raises:
        ConfigError: A setting is unknown, or something else stands in `out`.
        DataError: A file holds no claims, or all of one label.
        StoreError: There is no knowledge base, or another embedder made it.
        MissingExtraError: The extra `tune` is not installed.
    """
    if strategy not in STRATEGIES:
        raise ConfigError(
            f"strategy {strategy!r} is not for fact-checking",
            fix="use auto, head, likelihood or full",
            where="strategy",
        )
    if strategy != "full" and changes:
        raise ConfigError(
            "settings of training do nothing where features are weighed",
            fix="leave --set out, or use --strategy full",
            where="set",
        )
    if not is_weighed(out):
        check_place(out)
    base = base or (DEFAULT_GENERATOR if strategy == "likelihood" else DEFAULT_EMBEDDER)
    settings = with_changes(SETTINGS, changes or {}, is_words=False)
    # 1) Read, and look before time is spent.
    sides = read_sides(train, dev=dev, test=test, seed=seed)
    for side, cases in sides.cases.items():
        tell(f"{side}: {len(cases):,} claims")
    if sides.left_out:
        tell(f"left out of {train.name}, since they are tested on: {sides.left_out:,}")
    finder = open_finder(kb, embedder=embedder, progress=progress)
    folder = (
        open_model(base, kind="embedder", progress=progress)
        if strategy == "full"
        else None
    )
    with write_lock(out.with_name(f".{out.name}.lock")):
        # 2) Retrieve for every claim, as it will be in service.
        claims = {
            side: find_evidence(
                cases,
                sides.gold,
                finder=finder,
                label=f"evidence for {side}",
                progress=progress,
            )
            for side, cases in sides.cases.items()
        }
        if folder is None:
            found = weigh(
                out,
                claims,
                generator=base if strategy == "likelihood" else None,
                seed=seed,
                progress=progress,
            )
            return FactReport(
                model=str(out),
                task=NAME,
                base=found.base,
                dev=found.measures.get("dev", {}).get(PRIMARY_MEASURE),
                test=found.measures.get("test", {}).get(PRIMARY_MEASURE),
                seconds=found.seconds,
                labels=list(LABELS),
                lessons=found.lessons,
                decision={},
                measures=found.measures,
                left_out=sides.left_out,
            )
        # 3) Train.
        lessons = pair_lessons(claims["train"], is_turned=True)
        held = pair_lessons(claims["dev"], is_turned=False) if "dev" in claims else ()
        job = LabelJob(
            task=NAME,
            base=base,
            out=str(out),
            train=lessons,
            dev=held,
            test=(),
            labels=LABELS,
            settings=settings,
            why="pairs of claim and evidence are read together",
            seed=seed,
            record={
                "verdict_template": TEMPLATE,
                "claims": {side: len(cases) for side, cases in sides.cases.items()},
            },
        )
        record: dict[str, Any] = run_in_child(
            train_label_model, job, progress=progress
        ).result
        # 4) Fit the threshold to dev claims, and measure.
        report = _measured(
            out, claims, lessons=len(lessons), seed=seed, progress=progress
        )
    return replace(
        report,
        base=folder.name,
        seconds=float(record["training"]["seconds"]),
        left_out=sides.left_out,
    )


def tune_claims(
    *,
    train: Path,
    test: Path,
    out: Path,
    dev: Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> None:
    """Train a model on claims alone: the arm `tuned`, which sees no documents.

    Raises:
        DataError: A file holds no claims, or all of one label.
        MissingExtraError: The extra `tune` is not installed.
    """
    check_place(out)
    sides = read_sides(train, dev=dev, test=test, seed=seed)
    job = LabelJob(
        task=NAME,
        base=DEFAULT_EMBEDDER,
        out=str(out),
        train=claim_lessons(sides.cases["train"]),
        dev=claim_lessons(sides.cases.get("dev", ())),
        test=(),
        labels=LABELS,
        settings=replace(SETTINGS, max_tokens=96),
        why="claims alone",
        seed=seed,
    )
    with write_lock(out.with_name(f".{out.name}.lock")):
        run_in_child(train_label_model, job, progress=progress)


def read_sides(train: Path, *, dev: Path | None, test: Path | None, seed: int) -> Sides:
    """Claims of all sides; none of training stands among those of dev or test.

    Raises:
        DataError: A file holds no claims, or training has claims of one label only.
    """
    cases: dict[str, tuple[FactCase, ...]] = {}
    gold: dict[str, tuple[DocumentEvidence, ...]] = {}
    files = {"test": test, "dev": dev, "train": train}
    left_out = 0
    for side, path in files.items():
        if path is None:
            continue
        read, known = read_side(path)
        others = [case for found in cases.values() for case in found]
        kept = without(read, others, where=path) if others else read
        left_out += len(read) - len(kept)
        # Ids may be given twice in two files: the side goes before them.
        renamed = {case.id: f"{side}:{case.id}" for case in kept}
        cases[side] = tuple(replace(case, id=renamed[case.id]) for case in kept)
        gold |= {renamed[case.id]: known[case.id] for case in kept}
    if len({case.label for case in cases["train"]}) < 2:
        raise DataError(
            "every claim has the same label: nothing is to be told apart",
            fix="give claims of two labels at least",
            where=str(train),
        )
    if dev is None:
        kept, held = share(cases["train"], seed=seed)
        cases["train"] = kept
        if held:
            cases["dev"] = held
    order = ("train", "dev", "test")
    return Sides(
        cases={side: cases[side] for side in order if side in cases},
        gold=gold,
        left_out=left_out,
    )


def _measured(
    out: Path,
    claims: Mapping[str, Claims],
    *,
    lessons: int,
    seed: int,
    progress: Progress,
) -> FactReport:
    labeller = open_labeller(str(out))
    judge = TunedJudge(labeller, Decision())
    logits = {
        side: claim_logits(
            judge, claims[side], label=f"verdicts: {side}", progress=progress
        )
        for side in ("dev", "test")
        if side in claims
    }
    decision = fit_decision(
        logits.get("dev", []),
        [case.label for case in claims["dev"].cases] if "dev" in claims else [],
    )
    measures: dict[str, dict[str, Any]] = {}
    for side, found in logits.items():
        of_side = claims[side]
        measures[side] = {
            **label_measures(of_side, verdicts(found, decision), seed=seed),
            "evidence_recall@5": recall_measure(of_side, seed=seed),
            **right_evidence_measures(
                on_right_evidence(of_side, TunedJudge(labeller, decision)), seed=seed
            ),
        }
    # Last, so that a folder with it was trained to its end.
    write_json(out / DECISION, write_fields(decision))
    return FactReport(
        model=str(out),
        task=NAME,
        base="",
        dev=measures.get("dev", {}).get(PRIMARY_MEASURE),
        test=measures.get("test", {}).get(PRIMARY_MEASURE),
        seconds=0.0,
        labels=list(LABELS),
        lessons=lessons,
        decision=write_fields(decision),
        measures=measures,
        left_out=0,
    )
