"""`compare` for tasks that write: evidence is solved cases, not documents.

plain asks the model as published, rag shows it the most similar solved cases or gives
the nearest answer, tuned is a fine-tuned generator, and both is that generator beside
the solved cases. Each step leaves its result in the run folder and is passed over when
it stands there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.augment.summaries import plain_prompts
from groundtune.augment.texts import TEXT_PROMPT_VERSION
from groundtune.config.changes import changed
from groundtune.config.endpoint import is_remote
from groundtune.config.training import within_budget
from groundtune.config.writing import WRITING
from groundtune.core.errors import ConfigError
from groundtune.core.fingerprint import fingerprint
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.choices import chosen_once
from groundtune.recipes.comparison.elsewhere import made_with
from groundtune.recipes.comparison.example_plan import ExamplePlan
from groundtune.recipes.comparison.prepare import versions
from groundtune.recipes.comparison.text_cases import (
    freeze,
    longest_answer,
    read_text_sides,
    text_row,
)
from groundtune.recipes.comparison.text_choices import (
    WAYS_TO_USE,
    TextChoiceJob,
    choose_threshold,
    choose_way,
)
from groundtune.recipes.text_baselines import usual_words
from groundtune.recipes.text_sides import few
from groundtune.recipes.writing import TextJob, train_text_model
from groundtune.recipes.written_measures import PRIMARY, measures_of
from groundtune.store.files import read_json
from groundtune.store.models import MANIFEST
from groundtune.store.run import RunFolder
from groundtune.systems.text_arm import ALWAYS, NEVER, TextSpec
from groundtune.tasks import summarization

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import Answer
    from groundtune.recipes.comparison.prepare import ExampleSources
    from groundtune.tune.text_examples import TextCase

_THRESHOLD_CASES = 40
"""Dev cases on which both chooses when to copy; the finer choice needs the more."""
_SHOTS = 2
_SHOT_WORDS = 120
"""Fixed examples are texts of at most so many words: they stand in every prompt."""


def compare_texts(
    task: str,
    *,
    out: Path,
    sources: ExampleSources,
    model: str,
    embedder: str,
    settings: CompareSettings,
    changes: Mapping[str, str],
    budget_seconds: float | None,
    progress: Progress,
    tell: Callable[[str], None],
) -> None:
    """Bring the rows of all arms to completion.

    Args:
        task: A task that writes.
        out: Run folder.
        sources: The cases.
        model: Generator of all arms.
        embedder: Finds the most similar solved cases.
        settings: Arms, seeds, limit.
        changes: Single settings of training, by name, as text.
        budget_seconds: About how long all trainings may take.
        progress: Told how far each step is.
        tell: Told what is worth knowing before time is spent.

    Raises:
        ConfigError: Arguments contradict one another, or the folder's run.
        DataError: Cases cannot be used.
    """
    if is_remote(model):
        raise ConfigError(
            "a model behind an endpoint cannot be tuned here",
            fix="name a model on this machine, or compare qa, where arms without "
            "training are measured",
            where="--model",
        )
    # 1) Read, split, freeze.
    generator = made_with(model, kind="generator", progress=progress)
    finder = made_with(embedder, kind="embedder", progress=progress)
    budget = budget_seconds and budget_seconds / settings.training_seeds
    training = changed(within_budget(WRITING[task], budget), changes, where="train")
    sides = read_text_sides(sources, task, settings=settings, tell=tell)
    job = TextJob(
        task=task,
        base=model,
        out="",
        train=sides.train,
        dev=sides.dev,
        instruction=sides.instruction,
        settings=training,
        seed=settings.seed,
    )
    run = RunFolder.create_or_resume(
        out,
        _made_of(job, sides.test, settings, generator=generator, embedder=finder),
    )
    tell(
        f"{len(sides.train):,} cases to learn from, {len(sides.dev):,} to choose by, "
        f"{len(sides.test):,} to test"
    )
    for side in ("train", "dev", "test"):
        freeze(out / "cases" / f"{side}.jsonl", getattr(sides, side))
    plan = _TextPlan(
        run=run,
        job=job,
        train=sides.train,
        test=sides.test,
        embedder=embedder,
        longest_answer=longest_answer(job),
        settings=settings,
        progress=progress,
        tell=tell,
    )

    # 2) Let every arm choose, learn and answer.
    plan.complete()


@dataclass(slots=True, kw_only=True)
class _TextPlan(ExamplePlan["TextCase", TextSpec]):
    """The arms of a task that writes."""

    job: TextJob
    embedder: str
    longest_answer: int
    """Tokens of the longest answer that is taught: no arm may write more."""

    def spec(self, name: str, *, seed: int = 0) -> TextSpec:
        """See `ExamplePlan`."""
        if name == "plain":
            return self._chosen(self._bare(name), self._ways_to_ask())
        if name == "rag":
            return self._chosen(self._asked_well(name), WAYS_TO_USE)
        if name == "tuned":
            return self.tuned(name, self.model(seed))
        ways = {"tuned alone": {"shown": 0}, "1 solved case shown": {"shown": 1}}
        spec = self.tuned(name, self.model(seed), is_searching=True)
        return self._chosen(spec, ways, key=f"{name}-{seed}", choose=choose_threshold)

    def nearest(self) -> TextSpec | None:
        """See `ExamplePlan`."""
        return self._bare("nearest_answer", threshold=ALWAYS, is_searching=True)

    def naive(self, seed: int) -> TextSpec:
        """See `ExamplePlan`: solved cases before a model that never learned to read."""
        spec = self.tuned("naive_both", self.model(seed), is_searching=True)
        return replace(spec, shown=1)

    def row(
        self,
        spec: TextSpec,
        case: TextCase,
        answer: Answer,
        *,
        seed: int,
        error: str | None,
    ) -> dict[str, Any]:
        """See `ExamplePlan`."""
        return text_row(spec, case, answer, seed=seed, error=error)

    def _bare(
        self, name: str, *, is_searching: bool = False, threshold: float = NEVER
    ) -> TextSpec:
        """The model as published, asked as a tuned one is."""
        return TextSpec(
            name=name,
            task=self.job.task,
            instruction=self.job.instruction,
            max_tokens=self.longest_answer,
            model=self.job.base,
            memory=self.memory if is_searching else "",
            embedder=self.embedder if is_searching else "",
            threshold=threshold,
        )

    def tuned(self, name: str, folder: Path, *, is_searching: bool = False) -> TextSpec:
        """See `ExamplePlan`: asked as it was taught."""
        asked = read_json(folder / MANIFEST)["template"]
        return replace(
            self._bare(name, is_searching=is_searching),
            model=str(folder),
            instruction=str(asked["instruction"]),
        )

    def train_on(
        self, part: tuple[TextCase, ...], out: Path, seed: int
    ) -> dict[str, Any]:
        """See `ExamplePlan`."""
        job = replace(self.job, out=str(out), train=part, seed=seed)
        record = run_in_child(train_text_model, job, progress=self.progress).result
        return {
            "train_seconds": round(float(record["training"]["seconds"]), 1),
            "train_tokens": record["training"]["tokens"],
        }

    def _asked_well(self, name: str) -> TextSpec:
        """With plain's instruction; solved cases are rag's own."""
        plain = self._chosen(self._bare("plain"), self._ways_to_ask())
        return replace(
            self._bare(name, is_searching=True), instruction=plain.instruction
        )

    def _ways_to_ask(self) -> dict[str, dict[str, Any]]:
        """Bare, with a length for summaries, and with two solved cases before it."""
        instruction = self.job.instruction
        short = [
            (case.asked, case.target)
            for case in self.job.train
            if len(case.asked.split()) <= _SHOT_WORDS
        ][:_SHOTS]
        ways: dict[str, dict[str, Any]] = {"instruction": {"instruction": instruction}}
        if self.job.task == summarization.NAME:
            words = usual_words(self.job.train)
            instruction = plain_prompts(instruction, words=words)[-1].instruction
            ways["length"] = {"instruction": instruction}
        if short:
            ways["examples"] = {"instruction": instruction, "shots": tuple(short)}
        return ways

    def _chosen(
        self,
        spec: TextSpec,
        ways: Mapping[str, Mapping[str, Any]],
        *,
        key: str = "",
        choose: Callable[..., Any] = choose_way,
    ) -> TextSpec:
        """The spec with what did best on dev cases."""
        is_fine = choose is choose_threshold
        limit = _THRESHOLD_CASES if is_fine else self.settings.style_cases
        dev = few(self.job.dev, limit=limit, seed=self.settings.seed)
        if not dev:
            return replace(spec, **next(iter(ways.values())))
        job = TextChoiceJob(spec=spec, ways=ways, dev=dev)
        chosen = chosen_once(
            self.run, key or spec.name, choose, job, progress=self.progress
        )
        if "shots" in chosen:
            chosen = {**chosen, "shots": tuple(map(tuple, chosen["shots"]))}
        return replace(spec, **chosen)


def _made_of(
    job: TextJob,
    test: Sequence[TextCase],
    settings: CompareSettings,
    *,
    generator: dict[str, Any],
    embedder: dict[str, Any],
) -> dict[str, Any]:
    sides = {"train": job.train, "dev": job.dev, "test": test}
    contents = {
        name: fingerprint([case._asdict() for case in cases])
        for name, cases in sides.items()
    }
    primary, *others = (
        PRIMARY[job.task],
        *(name for name in measures_of(job.task) if name != PRIMARY[job.task]),
    )
    return {
        **settings.registered,
        "task": job.task,
        "measure": primary,
        "other_measures": others,
        "settings": {
            "arms": list(settings.arms),
            "seed": settings.seed,
            "training_seeds": settings.training_seeds,
            "limit": settings.limit,
            "training": asdict(job.settings),
        },
        "instruction": job.instruction,
        "prompt_version": TEXT_PROMPT_VERSION,
        "cases": {
            "fingerprint": fingerprint(contents),
            **{name: len(cases) for name, cases in sides.items()},
        },
        "generator": generator,
        "embedder": embedder,
        "versions": versions(),
    }
