"""`compare` for tasks with labels: evidence is labelled cases, not documents.

plain reads the labels' own words, rag lets the most similar labelled cases vote, tuned
is a fine-tuned encoder, and both is the encoder mixed with the votes. Each step leaves
its result in the run folder and is passed over when it stands there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.values import EntityCase, LabelCase
from groundtune.data.frozen import write_frozen
from groundtune.data.stratify import split_stratified
from groundtune.measure.entities import TAG_END
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.answering import hit_places
from groundtune.recipes.comparison.choices import chosen_once
from groundtune.recipes.comparison.elsewhere import made_with
from groundtune.recipes.comparison.example_plan import ExamplePlan
from groundtune.recipes.comparison.label_choices import (
    ChoiceJob,
    CrossJob,
    choose_plain,
    choose_votes,
    choose_weight,
    choose_weight_across,
)
from groundtune.recipes.comparison.prepare import versions
from groundtune.recipes.labelling import train_label_model
from groundtune.recipes.labels.job import described_job
from groundtune.recipes.labels.reading import examine_sides, read_sides
from groundtune.recipes.labels.settings import choose_settings
from groundtune.store.run import RunFolder
from groundtune.store.tuned import checkpoint_folder
from groundtune.systems.label_arm import LabelSpec
from groundtune.tasks import classification, ner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import Answer
    from groundtune.recipes.comparison.prepare import ExampleSources
    from groundtune.recipes.labels.reading import Sides
    from groundtune.recipes.labels.training import LabelJob

    Case = LabelCase | EntityCase

SHARES = (0.6, 0.1, 0.3)
"""Of one file of cases: to learn from, to choose by, to measure on."""


def compare_labels(
    task: str,
    *,
    out: Path,
    sources: ExampleSources,
    base: str,
    settings: CompareSettings,
    changes: Mapping[str, str],
    budget_seconds: float | None,
    progress: Progress,
    tell: Callable[[str], None],
) -> None:
    """Bring the rows of all arms to completion.

    Args:
        task: A task with labels.
        out: Run folder.
        sources: The cases.
        base: Encoder: neighbours are found with it, and tuning starts from it.
        settings: Arms, seeds, limit.
        changes: Single settings of training, by name, as text.
        budget_seconds: About how long all trainings may take.
        progress: Told how far each step is.
        tell: Told what is worth knowing before time is spent.

    Raises:
        ConfigError: Arguments contradict one another, or the folder's run.
        DataError: Cases cannot be used.
    """
    # 1) Read, look, split, freeze.
    embedder = made_with(base, kind="embedder", progress=progress)
    sides = _sides(sources, task, seed=settings.seed, tell=tell)
    chosen, why = choose_settings(
        sides.cases("train"),
        is_words=task == ner.NAME,
        strategy="auto",
        settings=None,
        changes=changes,
    )
    findings = examine_sides(sides, accepted=sources.accepted, tell=tell)
    job = described_job(
        sides, chosen, why, task=task, base=base, out=out, seed=settings.seed
    )
    job = replace(
        job,
        test=_limited(job.test, limit=settings.limit, seed=settings.seed),
        budget_seconds=budget_seconds and budget_seconds / settings.training_seeds,
        record={"data": sides.record(findings), "search": None},
    )
    run = RunFolder.create_or_resume(
        out, _made_of(job, settings, embedder=embedder, accepted=sources.accepted)
    )
    tell(
        f"{len(job.train):,} cases to learn from, {len(job.dev):,} to choose by, "
        f"{len(job.test):,} to test; {len(job.labels)} labels"
    )
    for side in ("train", "dev", "test"):
        write_frozen(out / "cases" / f"{side}.jsonl", getattr(job, side))
    plan = _LabelPlan(
        run=run,
        job=job,
        train=job.train,
        test=job.test,
        settings=settings,
        progress=progress,
        tell=tell,
    )

    # 2) Let every arm choose, learn and answer.
    plan.complete()


@dataclass(slots=True, kw_only=True)
class _LabelPlan(ExamplePlan["Case", LabelSpec]):
    """The arms of a task with labels."""

    job: LabelJob

    def spec(self, name: str, *, seed: int = 0) -> LabelSpec:
        """See `ExamplePlan`."""
        if name == "plain":
            return self._chosen(self._bare(name), choose_plain)
        if name == "rag":
            return self._voters(name)
        if name == "tuned":
            return self.tuned(name, self.model(seed))
        spec = self._weighed(self._mixed(name, seed), seed=seed)
        if not spec.weight:
            self.tell("on dev cases neighbours add nothing: both is tuned here")
        return spec

    def nearest(self) -> LabelSpec | None:
        """See `ExamplePlan`. Words have no one nearest sentence."""
        if self.job.is_words:
            return None
        return replace(self._voters("nearest_answer"), k=1, sharpness=1.0)

    def naive(self, seed: int) -> LabelSpec:
        """See `ExamplePlan`: equal weights."""
        return replace(self._mixed("naive_both", seed), weight=0.5)

    def row(
        self,
        spec: LabelSpec,
        case: Case,
        answer: Answer,
        *,
        seed: int,
        error: str | None,
    ) -> dict[str, Any]:
        """See `ExamplePlan`."""
        return label_row(spec.name, case, answer, seed=seed, error=error)

    def train_on(self, part: tuple[Case, ...], out: Path, seed: int) -> dict[str, Any]:
        """See `ExamplePlan`."""
        job = replace(self.job, out=str(out), train=part, seed=seed, test=())
        done = run_in_child(train_label_model, job, progress=self.progress)
        return {"train_seconds": round(float(done.result["training"]["seconds"]), 1)}

    def _voters(self, name: str) -> LabelSpec:
        """Labelled cases that vote as rag's do."""
        spec = replace(self._bare("rag"), memory=self.memory)
        return replace(self._chosen(spec, choose_votes), name=name)

    def _mixed(self, name: str, seed: int) -> LabelSpec:
        """The tuned encoder beside those votes."""
        return replace(self._voters(name), model=str(self.model(seed)))

    def tuned(self, name: str, folder: Path) -> LabelSpec:
        """See `ExamplePlan`."""
        return replace(self._bare(name), embedder="", model=str(folder))

    def _bare(self, name: str) -> LabelSpec:
        job = self.job
        return LabelSpec(name=name, task=job.task, labels=job.labels, embedder=job.base)

    def _chosen(self, spec: LabelSpec, choose: Callable[..., Any]) -> LabelSpec:
        return self._set(spec, spec.name, choose, self._choice(spec))

    def _weighed(self, spec: LabelSpec, *, seed: int) -> LabelSpec:
        if self.job.dev:
            key = f"{spec.name}-{seed}"
            return self._set(spec, key, choose_weight, self._choice(spec))
        folder = checkpoint_folder(self.run.path / "models" / "folds")
        across = CrossJob(job=self.job, spec=spec, folder=str(folder))
        # One weight for all seeds: trainings that are thrown away are dear.
        return self._set(spec, spec.name, choose_weight_across, across)

    def _choice(self, spec: LabelSpec) -> ChoiceJob:
        return ChoiceJob(spec=spec, dev=self.job.dev)

    def _set(
        self, spec: LabelSpec, key: str, work: Callable[..., Any], job: object
    ) -> LabelSpec:
        """The spec with what did best on dev cases."""
        chosen = chosen_once(self.run, key, work, job, progress=self.progress)
        return replace(spec, **chosen)


def label_row(
    name: str, case: Case, answer: Answer, *, seed: int, error: str | None
) -> dict[str, Any]:
    """The row of one case; a sentence's tags stand in one text."""
    if isinstance(case, EntityCase):
        question, wanted = " ".join(case.tokens), TAG_END.join(case.tags)
        measure = "exact_match"
    else:
        question, wanted = case.text, case.label
        measure = classification.PRIMARY_MEASURE
    right = 0.0 if error else float(answer.text == wanted)
    return {
        "case": case.id,
        "system": name,
        "seed": seed,
        "group": case.group or case.id,
        "question": question,
        "answers": [wanted],
        "prediction": answer.text,
        "scores": {measure: right, "confidence": answer.confidence or 0.0},
        "hits": hit_places(answer),
        "error": error,
    }


def _sides(
    sources: ExampleSources, task: str, *, seed: int, tell: Callable[[str], None]
) -> Sides:
    """The files as sides; one file of cases becomes three."""
    given = {"train": sources.train, "dev": sources.dev, "test": sources.test}
    files = {side: path for side, path in given.items() if path is not None}
    if sources.cases is not None:
        files = {"train": sources.cases}
    sides = read_sides(
        files, task=task, format=sources.format, roles=sources.roles, tell=tell
    )
    if sources.cases is None:
        return sides
    whole = sides.data["train"]
    parts = split_stratified(sides.cases("train"), shares=SHARES, seed=seed)
    place = {
        case.id: where for case, where in zip(whole.cases, whole.places, strict=True)
    }
    data = {
        side: replace(
            whole,
            cases=tuple(part),
            places=tuple(place[case.id] for case in part),
        )
        for side, part in zip(("train", "dev", "test"), parts, strict=True)
    }
    return replace(sides, files=dict.fromkeys(data, sources.cases), data=data)


def _limited(
    cases: tuple[Case, ...], *, limit: int | None, seed: int
) -> tuple[Case, ...]:
    """At most so many, each label in its share.

    Raises:
        DataError: There are none.
    """
    if not cases:
        raise DataError(
            "there are no test cases", fix="give --test or --cases", where="compare"
        )
    if limit is None or limit >= len(cases):
        return cases
    share = limit / len(cases)
    kept, _ = split_stratified(cases, shares=(share, 1 - share), seed=seed)
    return tuple(kept)[:limit]


def _made_of(
    job: LabelJob,
    settings: CompareSettings,
    *,
    embedder: dict[str, Any],
    accepted: Collection[str],
) -> dict[str, Any]:
    is_words = job.is_words
    parts = {
        side: fingerprint([asdict(case) for case in getattr(job, side)])
        for side in ("train", "dev", "test")
    }
    return {
        **settings.registered,
        "task": job.task,
        "measure": ner.PRIMARY_MEASURE if is_words else classification.PRIMARY_MEASURE,
        "other_measures": [] if is_words else ["macro_f1"],
        "settings": {
            "arms": list(settings.arms),
            "seed": settings.seed,
            "training_seeds": settings.training_seeds,
            "limit": settings.limit,
            "budget_seconds": job.budget_seconds,
            "training": asdict(job.settings),
            "why": job.why,
        },
        "cases": {
            "fingerprint": fingerprint(parts),
            "train": len(job.train),
            "dev": len(job.dev),
            "test": len(job.test),
            "labels": list(job.labels),
        },
        "findings": list(job.record["data"]["findings"]),
        "accepted": sorted(accepted),
        "embedder": embedder,
        "versions": versions(),
    }
