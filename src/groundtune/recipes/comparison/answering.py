"""The rows of one system, made in a process of its own.

Cases are answered one at a time, in order: a row then depends on its case alone, an
interrupted system goes on where it stopped, and its times are those of one user.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import GenerationError
from groundtune.core.values import Answer
from groundtune.data.gold import holds_answer
from groundtune.measure.answers import score_answer
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.elsewhere import Outage, cost_of
from groundtune.store.files import write_json
from groundtune.store.remote.failures import EndpointError
from groundtune.store.run import RowWriter
from groundtune.systems.build import SystemSpec, build_system
from groundtune.systems.fact_arm import FactSpec, FactSystem
from groundtune.systems.label_arm import LabelSpec, LabelSystem
from groundtune.systems.text_arm import TextSpec, TextSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.core.protocols import Progress
    from groundtune.core.values import EntityCase, FactCase, LabelCase, QaCase
    from groundtune.recipes.child import Channel
    from groundtune.store.run import RunFolder
    from groundtune.tune.text_examples import TextCase

    Case = QaCase | LabelCase | EntityCase | TextCase | FactCase
    Spec = SystemSpec | LabelSpec | TextSpec | FactSpec
    MakeRow = Callable[[Any, Answer, str | None], dict[str, Any]]

_Outcome = tuple[str, Answer | None, str | None]

_WARM_UP = "What is this about?"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob:
    """A system and the cases that it still has to answer."""

    spec: Spec
    cases: tuple[Case, ...]


def answer_cases(job: AnswerJob, channel: Channel) -> None:
    """Answer each case and emit `(case id, answer or None, error)`.

    A case on which an endpoint fails is told when another one has been answered, so
    that no row holds what an outage did: an interrupted run answers it again.

    Raises:
        EndpointError: The endpoint is away; what was emitted stands.
    """
    channel.progress(f"{job.spec.name}: loading", 0, None)
    system, warm_up = _opened(job)
    # The first answer of a fresh engine pays for its set-up; no case should.
    system.answer(warm_up)
    outage = Outage()
    held: list[_Outcome] = []
    for case in job.cases:
        try:
            outcome = (case.id, system.answer(case), None)
        except EndpointError as error:
            outage.failed(error)
            held.append((case.id, None, error.problem))
            continue
        except GenerationError as error:
            outcome = (case.id, None, error.problem)
        outage.answered()
        for one in (*held, outcome):
            channel.emit(one)
        held.clear()
    if held:
        system.answer(warm_up)  # is it the last case, or is nobody there any more?
        channel.emit(held[0])


def _opened(job: AnswerJob) -> tuple[Any, Case]:
    """The system, and a case that it can be warmed up with."""
    from groundtune.core.values import QaCase

    if isinstance(job.spec, LabelSpec):
        return LabelSystem(job.spec), job.cases[0]
    if isinstance(job.spec, TextSpec):
        return TextSystem(job.spec), job.cases[0]
    if isinstance(job.spec, FactSpec):
        return FactSystem(job.spec), job.cases[0]
    asked = QaCase(id="", question=_WARM_UP, answers=())
    return build_system(job.spec), job.cases[0] if job.spec.given is not None else asked


def write_rows(
    run: RunFolder,
    spec: Spec,
    cases: Sequence[Case],
    *,
    make: MakeRow,
    seed: int,
    progress: Progress,
) -> None:
    """Bring a system's rows to completion; what it is made of is kept beside them.

    Args:
        run: Where rows go; those that stand already are kept.
        spec: The system.
        cases: All test cases, in the order of the rows.
        make: Turns a case, its answer and why there is none into a row.
        seed: Training seed that the rows are filed under.
        progress: Told how many cases are answered.

    Raises:
        GroundtuneError: The system cannot be built, or a row cannot be written.
    """
    write_json(run.path / "systems" / f"{spec.name}.json", asdict(spec))
    done = {
        row["case"]
        for row in run.rows()
        if row["system"] == spec.name and row["seed"] == seed
    }
    left = tuple(case for case in cases if case.id not in done)
    if not left:
        return
    by_id = {case.id: case for case in left}
    writer = RowWriter(run)
    count = len(done)
    progress(spec.name, count, len(cases))

    def add(item: tuple[str, Answer | None, str | None]) -> None:
        nonlocal count
        case_id, answer, error = item
        case = by_id[case_id]
        made = answer or Answer(text="")
        key = {"case": case_id, "system": spec.name, "seed": seed}
        writer.add(
            make(case, made, error),
            timing={**key, **asdict(made.timing)},
            passages=[_place(hit.passage, text=True) for hit in made.hits],
        )
        count += 1
        progress(spec.name, count, len(cases))

    try:
        finished = run_in_child(
            answer_cases,
            AnswerJob(spec=spec, cases=left),
            on_item=add,
            progress=progress,
        )
    finally:
        writer.close()
    own = (r for r in run.rows() if r["system"] == spec.name and r["seed"] == seed)
    run.add_resources(
        spec.name,
        peak_memory_mb=round(finished.peak_memory_mb),
        **cost_of(spec.model, own),
    )


def hit_places(answer: Answer) -> list[dict[str, Any]]:
    """Where each hit of a row stands, and how well it was rated."""
    return [
        {**_place(hit.passage), "score": round(hit.score, 6)} for hit in answer.hits
    ]


def write_copied_rows(
    run: RunFolder,
    name: str,
    cases: Sequence[QaCase],
    *,
    answers: Mapping[str, str],
    seed: int,
) -> None:
    """Rows of a system that needs no model: answers copied from elsewhere."""
    done = {row["case"] for row in run.rows() if row["system"] == name}
    writer = RowWriter(run)
    try:
        for case in cases:
            if case.id in done:
                continue
            answer = Answer(text=answers.get(case.id, ""))
            row = make_row(None, case, answer, gold=(), seed=seed, name=name)
            key = {"case": case.id, "system": name, "seed": seed}
            writer.add(row, timing={**key, **asdict(answer.timing)}, passages=[])
    finally:
        writer.close()


def make_row(
    spec: SystemSpec | None,
    case: QaCase,
    answer: Answer,
    *,
    gold: Sequence[Mapping[str, Any]],
    seed: int,
    error: str | None = None,
    name: str = "",
) -> dict[str, Any]:
    """The row of one case: everything that figures are made of, and no times.

    A case on which the system failed scores 0 and is kept, with the reason.
    """
    right = {passage["id"] for passage in gold}
    ranks = [
        number
        for number, hit in enumerate(answer.hits, start=1)
        if hit.passage.id in right
    ]
    retrieves = spec is not None and bool(spec.kb) and bool(right)
    scores = score_answer(
        answer.text,
        case.answers,
        answerable=case.answerable,
        abstained=answer.abstained,
    )
    return {
        "case": case.id,
        "system": spec.name if spec else name,
        "seed": seed,
        "group": case.group or case.source or case.id,
        "question": case.question,
        "answers": list(case.answers),
        "answerable": case.answerable,
        "prediction": answer.text,
        "scores": dict.fromkeys(scores, 0.0) if error else scores,
        "abstained": answer.abstained,
        "citations": [asdict(citation) for citation in answer.citations],
        "hits": hit_places(answer),
        "hit": bool(ranks) if retrieves else None,
        "read": _holds(answer, case, gold) if retrieves else None,
        "rank": ranks[0] if ranks else None,
        "gold": [
            {key: passage[key] for key in ("document", "start", "end")}
            for passage in gold
        ],
        "prompt_tokens": answer.usage.prompt_tokens,
        "output_tokens": answer.usage.output_tokens,
        "error": error,
        # Only where it is so: rows of reviewed cases keep their form.
        **({} if case.reviewed else {"reviewed": False}),
    }


def _holds(answer: Answer, case: QaCase, gold: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an accepted answer stood, at its place, in what was read."""
    return any(
        hit.passage.document == right["document"]
        and hit.passage.start < right["end"]
        and right["start"] < hit.passage.end
        and holds_answer(hit.passage.text, case.answers)
        for hit in answer.read
        for right in gold
    )


def _place(passage: Any, *, text: bool = False) -> dict[str, Any]:  # noqa: ANN401
    place = {
        "document": passage.document,
        "start": passage.start,
        "end": passage.end,
    }
    return {**place, "text": passage.text} if text else place
