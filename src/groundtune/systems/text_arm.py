"""The arms of tasks that write: the model alone, with solved cases like the one asked.

| arm | writes |
| --- | --- |
| plain | the model as published, asked as it likes best |
| rag | the same with the most similar solved cases before it, or the nearest answer |
| tuned | the fine-tuned model |
| both | the fine-tuned model, and the nearest answer where a case is like a known one |

For translation the solved cases are a translation memory, for support past replies.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundtune.augment.texts import TEXT_PROMPT_VERSION, TextPromptBuilder
from groundtune.core.errors import DataError, GenerationError
from groundtune.core.protocols import silent
from groundtune.core.values import Answer, Hit, Message, Timing, Usage
from groundtune.retrieve.embed import open_named_embedder
from groundtune.store.files import read_json_lines
from groundtune.systems.generators import open_generator
from groundtune.systems.memory import Memory
from groundtune.systems.neighbours import training_hit
from groundtune.systems.writer import Writer, WriterSpec
from groundtune.tune.text_examples import TextCase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.core.protocols import Engine, Progress

ALWAYS = -1.0
"""Threshold that every case is above: the nearest answer is all that is said."""
NEVER = 2.0
"""Threshold that no cosine reaches."""
_TOGETHER = 32
"""Drafts that are written at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpec:
    """What an arm of a task that writes is made of. JSON types only."""

    name: str
    task: str
    instruction: str
    max_tokens: int
    """Bound of an answer."""
    model: str
    """Generator: a catalog name or a folder."""
    shots: tuple[tuple[str, str], ...] = ()
    """Solved cases that stand before every case: what was asked, what was answered."""
    memory: str = ""
    """File of solved cases to search; empty: none."""
    embedder: str = ""
    shown: int = 0
    """How many of the most similar ones stand before a case."""
    threshold: float = NEVER
    """Cosine from which the nearest answer is given as it is."""
    runtime: str = "openvino"


class SolvedCases:
    """Cases with their answers, found again by what was asked."""

    def __init__(self, cases: Sequence[TextCase], *, embedder: str) -> None:
        self.cases = cases
        self._memory = Memory(
            [case.asked for case in cases],
            embedder=open_named_embedder(embedder, offline=True),
        )

    def nearest(self, asked: Sequence[str], *, count: int) -> list[list[Hit]]:
        """The most similar solved cases of each text, best first."""
        found = self._memory.nearest(asked, count=count)
        return [[self._hit(*one) for one in near] for near in found]

    def answer_of(self, hit: Hit) -> str:
        """What a solved case was answered."""
        return self.cases[hit.passage.start].target

    def _hit(self, place: int, cosine: float) -> Hit:
        case = self.cases[place]
        return training_hit(
            case.id, place, text=f"{case.asked} → {case.target}", cosine=cosine
        )


class TextSystem:
    """An arm of a task that writes, as a spec describes it."""

    def __init__(self, spec: TextSpec) -> None:
        """Load everything that the spec names. Nothing is fetched from the network.

        Raises:
            GroundtuneError: A model or the solved cases cannot be opened.
        """
        self.name = spec.name
        self.spec = spec
        self.memory = (
            SolvedCases(read_solved(Path(spec.memory)), embedder=spec.embedder)
            if spec.memory
            else None
        )
        self._engine: Engine | None = None
        if spec.threshold > ALWAYS:
            self._engine, template = open_generator(
                spec.model, prompt_version=TEXT_PROMPT_VERSION, runtime=spec.runtime
            )
            self._builder = TextPromptBuilder(
                template, self._engine.tokenizer, instruction=spec.instruction
            )

    def answer(
        self, case: TextCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """Write to one case, without looking at its references.

        Raises:
            GenerationError: The prompt is too long, or the engine failed.
        """
        began = time.perf_counter()
        hits: list[Hit] = []
        if self.memory is not None:
            count = max(1, self.spec.shown)
            hits = self.memory.nearest([case.asked], count=count)[0]
        retrieve_ms = 1000 * (time.perf_counter() - began)
        near = hits[0] if hits else None
        if self.memory and near and near.score >= self.spec.threshold:
            text = self.memory.answer_of(near)
            if on_text is not None:
                on_text(text)
            timing = Timing(retrieve_ms=retrieve_ms, total_ms=retrieve_ms)
            return Answer(text=text, hits=tuple(hits), timing=timing)
        return self._written(case, hits, retrieve_ms, on_text=on_text)

    def _written(
        self,
        case: TextCase,
        hits: Sequence[Hit],
        retrieve_ms: float,
        *,
        on_text: Callable[[str], None] | None,
    ) -> Answer:
        assert self._engine is not None, "whoever always copies returned before"
        _, prompt = _with_what_fits(
            case,
            _shots(self.spec, self.memory, hits),
            build=lambda turns: self._builder.build(turns).tokens,
            room=self._engine.context_length - self.spec.max_tokens,
        )
        made = self._engine.generate(
            prompt, max_tokens=self.spec.max_tokens, on_text=on_text
        )
        return Answer(
            text=made.text.strip(),
            hits=tuple(hits),
            logprob=made.logprob,
            usage=Usage(
                prompt_tokens=made.usage.prompt_tokens,
                output_tokens=made.usage.output_tokens,
            ),
            timing=Timing(
                retrieve_ms=retrieve_ms,
                first_token_ms=made.first_token_ms,
                total_ms=retrieve_ms + made.total_ms,
            ),
        )


def drafts(
    spec: TextSpec, cases: Sequence[TextCase], *, progress: Progress = silent
) -> list[str]:
    """What an arm writes, to many cases at once: for choosing, where nobody waits.

    Sums are taken in another order than for a single case, so a word may differ from
    what `TextSystem` answers. A case that does not fit is given an empty text.

    Raises:
        GroundtuneError: A model or the solved cases cannot be opened.
    """
    memory, near = None, [[] for _ in cases]
    if spec.memory:
        memory = SolvedCases(read_solved(Path(spec.memory)), embedder=spec.embedder)
        asked = [case.asked for case in cases]
        near = memory.nearest(asked, count=max(1, spec.shown))
    texts = [""] * len(cases)
    left: list[int] = []
    for place, hits in enumerate(near):
        if memory is not None and hits[0].score >= spec.threshold:
            texts[place] = memory.answer_of(hits[0])
        else:
            left.append(place)
    if not left:
        return texts
    writer = Writer(
        WriterSpec(
            name=spec.name,
            model=spec.model,
            task=spec.task,
            instruction=spec.instruction,
            max_tokens=spec.max_tokens,
            runtime=spec.runtime,
        )
    )
    for start in range(0, len(left), _TOGETHER):
        progress(spec.name, start, len(left))
        fitting: dict[int, tuple[Message, ...]] = {}
        for place in left[start : start + _TOGETHER]:
            shots = _shots(spec, memory, near[place])
            with suppress(GenerationError):
                fitting[place], _ = _with_what_fits(
                    cases[place], shots, build=writer.prompt, room=writer.room
                )
        replies = writer.write(list(fitting.values()))
        for place, reply in zip(fitting, replies, strict=True):
            texts[place] = reply.text
    progress(spec.name, len(left), len(left))
    return texts


def _shots(
    spec: TextSpec, memory: SolvedCases | None, hits: Sequence[Hit]
) -> list[tuple[str, str]]:
    """Solved cases to stand before a case: the fixed ones, and those like it."""
    shots = [*spec.shots]
    if memory is not None and spec.shown:
        # The most similar one last: what stands nearest is heeded most.
        known = [memory.cases[hit.passage.start] for hit in reversed(hits)]
        shots += [(one.asked, one.target) for one in known]
    return shots


def _with_what_fits(
    case: TextCase,
    shots: Sequence[tuple[str, str]],
    *,
    build: Callable[[Sequence[Message]], Sequence[int]],
    room: int,
) -> tuple[tuple[Message, ...], Sequence[int]]:
    """The turns of a case behind as many shots as there is room for, and their prompt.

    Raises:
        GenerationError: The case alone is too long.
    """
    prompt: Sequence[int] = ()
    # Rather fewer examples than no answer.
    for fewer in range(len(shots) + 1):
        turns = with_shots(case.turns, shots[fewer:])
        prompt = build(turns)
        if len(prompt) <= room:
            return turns, prompt
    raise GenerationError(
        f"the prompt has {len(prompt)} tokens, and there is room for {room}",
        fix="shorten the text, or use a model with a longer context",
        where=case.id,
    )


def with_shots(
    turns: Sequence[Message], shots: Sequence[tuple[str, str]]
) -> tuple[Message, ...]:
    """The turns of a case with solved cases before them, behind a system turn."""
    own = tuple(turn for turn in turns if turn.role == "system")
    said = tuple(turn for turn in turns if turn.role != "system")
    solved = tuple(
        message
        for asked, answered in shots
        for message in (Message("user", asked), Message("assistant", answered))
    )
    return (*own, *solved, *said)


def read_solved(path: Path) -> list[TextCase]:
    """Solved cases of a run, as it froze them.

    Raises:
        DataError: The file is gone.
    """
    if not path.is_file():
        raise DataError(
            "the solved cases are gone",
            fix="run the comparison again in a new folder",
            where=str(path),
        )
    return [
        TextCase(
            raw["id"],
            tuple(Message(*turn) for turn in raw["turns"]),
            raw["target"],
            raw["group"],
            tuple(raw["others"]),
        )
        for raw in read_json_lines(path)
    ]
