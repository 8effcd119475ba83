"""A summary that a model writes: parts of the material first, then their summaries.

Each part is read with what fits beside it, many at once (map). The sentences that the
passages bear out go on, and are summed up again until they are few enough or one text
is left (reduce). So what a part's summary made up is never read as if it stood in the
documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.augment.summaries import (
    evidence_text,
    groups_within,
    map_instruction,
)
from groundtune.augment.texts import TEXT_PROMPT_VERSION, TextPromptBuilder
from groundtune.core.values import Message, Usage
from groundtune.data.sentences import sentence_spans
from groundtune.generate.citations import ground
from groundtune.systems.generators import generator_folder, open_batch_generator
from groundtune.systems.trained import manifest_of
from groundtune.tasks import summarization

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from groundtune.augment.chat import ChatTemplate
    from groundtune.core.protocols import Progress
    from groundtune.core.values import Citation, Hit
    from groundtune.generate.batches import BatchEngine, Written

_PART_TOKENS = 1_500
"""Most that is read at once: small models lose the middle of longer texts."""
_LEAST_PART_WORDS = 30
_TOKENS_PER_WORD = 1.6
_SPARE_TOKENS = 24
_SEAM = 4
"""Tokens that two passages may count more joined than each alone."""


class Said(NamedTuple):
    """One sentence of a summary, and where the documents say it."""

    text: str
    citations: tuple[Citation, ...]
    """None where nothing bears it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a model made of the material."""

    said: tuple[Said, ...]
    """Sentences of the last text, in order; none twice."""
    parts: int
    """How many texts the material was read in."""
    rounds: int
    """How often summaries were summed up again."""
    usage: Usage


class Drafter:
    """Writes summaries with one generator."""

    def __init__(
        self,
        engine: BatchEngine,
        template: ChatTemplate,
        *,
        learned: Mapping[str, Any] | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            engine: Writes.
            template: The model's own.
            learned: How a model that was tuned to sum up is asked: its `instruction`
                and `max_new_tokens`; its summaries have the length that it learned.
        """
        self._engine = engine
        self._template = template
        self._learned = learned or {}

    @classmethod
    def open(cls, model: str, *, runtime: str) -> Self:
        """Open a generator: a folder, a catalog name, a hub id, or `URL#NAME`.

        Raises:
            GroundtuneError: It cannot be opened, or was tuned for another task.
        """
        engine, template = open_batch_generator(
            model, prompt_version=TEXT_PROMPT_VERSION, runtime=runtime
        )
        folder = generator_folder(model, offline=True)
        manifest = manifest_of(folder) if folder is not None else {}
        is_tuned = manifest.get("task") == summarization.NAME
        return cls(
            engine,
            template,
            learned=manifest["template"] if is_tuned else None,
        )

    @property
    def is_tuned(self) -> bool:
        """Whether the model learned how to sum up, and how long a summary is."""
        return bool(self._learned)

    def draft(
        self, hits: Sequence[Hit], *, words: int, topic: str, progress: Progress
    ) -> Draft:
        """Read passages in parts and sum them up.

        Args:
            hits: Passages, neighbours one after the other.
            words: How long the summary is to be.
            topic: What it is to be about; empty: about everything.
            progress: Told how many parts are read.

        Raises:
            GenerationError: The engine failed.
            ConfigError: There is no room for one passage beside the instruction.
        """
        alone = [evidence_text([hit]) for hit in hits]
        groups = self._groups(alone, words=words, topic=topic)
        texts = [evidence_text(hits[place] for place in group) for group in groups]
        parts, rounds, usage = len(texts), 0, Usage()
        while True:
            share = max(_LEAST_PART_WORDS, 2 * words // len(texts))
            length = words if len(texts) == 1 else share
            progress("reading", 0, len(texts))
            made = self._write(texts, words=length, topic=topic)
            progress("reading", len(texts), len(texts))
            usage = Usage(
                prompt_tokens=usage.prompt_tokens
                + sum(one.usage.prompt_tokens for one in made),
                output_tokens=usage.output_tokens
                + sum(one.usage.output_tokens for one in made),
            )
            said = _grounded(made, hits)
            notes = [one.text for one in said if one.citations]
            # Together no longer than asked for, they are the summary.
            if len(texts) == 1 or sum(len(one.split()) for one in notes) <= words:
                break
            groups = self._groups(notes, words=words, topic=topic)
            if len(groups) >= len(texts):
                break
            texts = [" ".join(notes[place] for place in group) for group in groups]
            rounds += 1
        return Draft(said=tuple(said), parts=parts, rounds=rounds, usage=usage)

    def _groups(self, texts: Sequence[str], *, words: int, topic: str) -> list[range]:
        """Which texts are read together, with room for instruction and answer."""
        frame = len(self._builder(words, topic).build((Message("user", "."),)).tokens)
        room = self._engine.context_length - self._bound(words) - frame
        encode = self._engine.tokenizer.encode
        sizes = [len(encode(text)) + _SEAM for text in texts]
        return groups_within(sizes, budget=min(room, max(_PART_TOKENS, *sizes)))

    def _write(self, texts: Sequence[str], *, words: int, topic: str) -> list[Written]:
        builder = self._builder(words, topic)
        prompts = [builder.build((Message("user", text),)).tokens for text in texts]
        return self._engine.write(prompts, max_tokens=self._bound(words))

    def _builder(self, words: int, topic: str) -> TextPromptBuilder:
        told = self._learned.get("instruction")
        told = str(told or map_instruction(words=words, topic=topic))
        tokenizer = self._engine.tokenizer
        return TextPromptBuilder(self._template, tokenizer, instruction=told)

    def _bound(self, words: int) -> int:
        """New tokens of a text of so many words, with room to end its last sentence."""
        learned = int(self._learned.get("max_new_tokens", 0))
        return learned or int(words * _TOKENS_PER_WORD) + _SPARE_TOKENS


def _grounded(made: Sequence[Written], hits: Sequence[Hit]) -> list[Said]:
    """Sentences of what was written, each with what bears it out; none twice."""
    found: list[Said] = []
    seen: set[str] = set()
    for one in made:
        for sentence in _sentences(one):
            text, citations = support(sentence, hits)
            key = text.casefold()
            if text and key not in seen:
                seen.add(key)
                found.append(Said(text, citations))
    return found


def _sentences(one: Written) -> list[str]:
    """The sentences of an answer; the one that the bound cut off is left out."""
    text = one.text.strip()
    spans = sentence_spans(text)
    if one.is_cut and len(spans) > 1:
        spans = spans[:-1]
    return [" ".join(text[span.start : span.end].split()) for span in spans]


def support(sentence: str, hits: Sequence[Hit]) -> Said:
    """A sentence without marks, and where the passages say it."""
    found = ground(sentence, hits)
    return Said(found.text, found.citations)
