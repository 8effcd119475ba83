"""Systems that write: a translation, a reply, a summary, many cases at once.

The tuned model and the model as published are the same system with other weights, asked
with the same instruction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from groundtune.augment.texts import TEXT_PROMPT_VERSION, TextPromptBuilder
from groundtune.core.errors import ModelLoadError
from groundtune.generate.batches import open_batch_engine
from groundtune.generate.engines import EngineOptions
from groundtune.store.models import open_model
from groundtune.systems.trained import manifest_of, served_template
from groundtune.tasks import summarization, support, translation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import Message
    from groundtune.generate.batches import Written

WRITTEN_TASKS = (translation.NAME, support.NAME, summarization.NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSpec:
    """What a system that writes is made of. JSON types only."""

    name: str
    model: str
    """Generator: a catalog name or a folder."""
    task: str
    instruction: str
    max_tokens: int
    """Bound of an answer."""
    runtime: str = "openvino"


class Reply(NamedTuple):
    """What a system writes to one case."""

    text: str
    prompt_tokens: int
    output_tokens: int
    is_cut: bool
    """Whether the bound ended it, and not the model."""


class Writer:
    """Writes to many cases at once; each answer is the text without space around it."""

    def __init__(self, spec: WriterSpec, *, is_int8: bool = False) -> None:
        """Load everything that the spec names. Nothing is fetched from the network.

        Args:
            spec: What it is made of.
            is_int8: With weights of 8 bits; for the runtime `openvino` alone.

        Raises:
            GroundtuneError: The model cannot be opened, or not be asked in this way.
        """
        model = open_model(spec.model, kind="generator", offline=True)
        template = served_template(model, prompt_version=TEXT_PROMPT_VERSION)
        self.spec = spec
        self._engine = open_batch_engine(
            model, runtime=spec.runtime, options=EngineOptions(is_int8=is_int8)
        )
        self._builder = TextPromptBuilder(
            template, self._engine.tokenizer, instruction=spec.instruction
        )

    @property
    def room(self) -> int:
        """Tokens that a prompt may have."""
        return self._engine.context_length - self.spec.max_tokens

    def prompt(self, turns: Sequence[Message]) -> Sequence[int]:
        """The prompt that `turns` make."""
        return self._builder.build(turns).tokens

    def size(self, turns: Sequence[Message]) -> int:
        """Tokens of that prompt."""
        return len(self.prompt(turns))

    def write(self, cases: Sequence[Sequence[Message]]) -> list[Reply]:
        """Reply to each case, given as the turns that may be seen, in order.

        Raises:
            GenerationError: A prompt is too long, or the engine failed.
        """
        prompts = [self.prompt(turns) for turns in cases]
        found = self._engine.write(prompts, max_tokens=self.spec.max_tokens)
        return [_reply(one) for one in found]


def tuned_writer_spec(model: str, *, runtime: str = "openvino") -> WriterSpec:
    """What a folder of `tune` for a task that writes says that it is served as.

    Raises:
        ModelLoadError: It is no such folder.
    """
    folder = open_model(model, kind="generator", offline=True)
    manifest = manifest_of(folder)
    asked = manifest.get("template")
    if manifest.get("task") not in WRITTEN_TASKS or not isinstance(asked, dict):
        raise ModelLoadError(
            f"not a model that was tuned for {', '.join(WRITTEN_TASKS)}",
            fix="give a folder that `groundtune tune` made for one of them",
            where=str(folder.path),
        )
    return WriterSpec(
        name="tuned",
        model=str(folder.path),
        task=manifest["task"],
        instruction=str(asked["instruction"]),
        max_tokens=int(asked["max_new_tokens"]),
        runtime=runtime,
    )


def _reply(one: Written) -> Reply:
    usage = one.usage
    return Reply(one.text.strip(), usage.prompt_tokens, usage.output_tokens, one.is_cut)
