"""Support over documents: tone from the tuned model, facts from the policies.

A model that was tuned on past conversations writes a draft. What the draft states is
held against the policies: a sentence with a figure, a date, an address, a link or a
name that stands in none of them is left out, a place left open is filled from them. The
sentences of the policies that answer are put in word for word, so that they can be
cited. Past conversations vouch for nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from groundtune.augment.texts import TEXT_PROMPT_VERSION, TextPromptBuilder
from groundtune.config.endpoint import is_remote
from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import Comparer
from groundtune.core.values import (
    Answer,
    DialogueCase,
    Message,
    Span,
    Timing,
)
from groundtune.data.past_conversations import CONVERSATION, KIND
from groundtune.generate.citations import CHECK, ground
from groundtune.generate.extractive import sentences_of
from groundtune.generate.replies import CheckedReply
from groundtune.generate.stated import value_of
from groundtune.retrieve.embed import open_named_embedder
from groundtune.retrieve.filter import parse_filter
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.systems.follow_ups import HISTORY_TOKENS, TurnFinder, as_asked
from groundtune.systems.generators import generator_folder, open_generator
from groundtune.systems.trained import manifest_of
from groundtune.systems.writer import tuned_writer_spec
from groundtune.tasks import support

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.augment.rewriting import RewriteMode
    from groundtune.core.protocols import Engine, Retriever
    from groundtune.core.values import Hit, QaCase
    from groundtune.retrieve.filter import Filter
    from groundtune.systems.build import SystemSpec
    from groundtune.systems.follow_ups import Turn

_LABELLED = 5
"""Passages that are read for the value of a place left open."""
_ON_TOPIC = 0.35
"""Cosine of question and sentence below which a policy does not answer."""
_STILL_ON_TOPIC = 0.4
"""The same of a follow-up question, as it was said and as it was searched for."""
_NEAR_BEST = 0.85
"""Share of the best cosine from which a second sentence is said as well."""
_SAID = 2
"""Sentences of policies that an answer says at most."""
_NOTHING = "no policy says anything on this"


@dataclass(frozen=True, slots=True)
class _Part:
    """Some documents of a knowledge base, searched by themselves."""

    base: HybridRetriever
    where: Filter | None

    def search(self, query: str, *, k: int) -> list[Hit]:
        """See `Retriever.search`."""
        return self.base.search(query, k=k, where=self.where)

    def likeness(self, text: str, others: Sequence[str]) -> list[float]:
        """See `Comparer.likeness`."""
        return self.base.likeness(text, others)


class SupportSystem:
    """Replies to the last turn of a conversation, or to a single message."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        builder: TextPromptBuilder,
        finder: TurnFinder,
        policies: Retriever,
        *,
        past: Retriever | None,
        k: int,
        max_tokens: int,
    ) -> None:
        """Compose the parts.

        Args:
            name: As rows name it.
            engine: The model that was tuned for support.
            builder: Makes its prompts.
            finder: Reads a turn and finds passages of policies.
            policies: The same that the finder asks; compares texts.
            past: Finds past conversations; None: there are none.
            k: Passages of policies that are read.
            max_tokens: Bound of a draft.
        """
        self._name = name
        self._engine = engine
        self._builder = builder
        self._finder = finder
        self._policies = policies
        self._past = past
        self._k = k
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        """As rows name it."""
        return self._name

    def answer(
        self,
        case: QaCase | DialogueCase,
        *,
        on_text: Callable[[str], None] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Answer:
        """Reply without looking at accepted answers.

        Abstains where no policy is about what was asked: the model alone knows how to
        say things, and nothing to say. Hits are the policies, then the nearest past
        conversation.

        Args:
            case: What the customer wrote, or a conversation that ends with it.
            on_text: Called with each sentence once it was checked.
            on_turn: Called with what is searched for, before the search.

        Raises:
            GenerationError: No draft could be written.
        """
        start = time.perf_counter()
        turn = self._finder.read(_turns(case))
        if on_turn is not None:
            on_turn(turn)
        query = turn.standalone.text
        policies = self._finder.find(turn, k=self._k)
        past = self._past.search(query, k=1) if self._past else []
        deciding = self._deciding(turn, policies)
        retrieve_ms = (time.perf_counter() - start) * 1000
        if not deciding:
            timing = Timing(retrieve_ms=retrieve_ms, total_ms=retrieve_ms)
            hits = (*policies, *past)
            return Answer(
                text="", hits=hits, abstained=True, reason=_NOTHING, timing=timing
            )
        reply = CheckedReply(
            deciding,
            policies,
            asked=_said_by_customer(turn),
            look_up=self._look_up,
            on_text=on_text,
        )
        made = self._engine.generate(
            self._prompt(turn), max_tokens=self._max_tokens, on_text=reply.add
        )
        reply.finish()
        text, citations, unsupported = ground(reply.text, reply.policies)
        filled = [
            replace(value, sentence=span)
            for span in unsupported
            for value in reply.filled
            if value.text in text[span.start : span.end]
        ]
        known = {one.sentence for one in filled}
        return Answer(
            text=text,
            citations=tuple(
                sorted(
                    (*citations, *filled), key=lambda one: one.sentence or Span(0, 0)
                )
            ),
            hits=(*reply.policies, *past),
            unsupported=tuple(span for span in unsupported if span not in known),
            check=f"{CHECK}, facts ({reply.left_out} of the draft's lines left out)",
            logprob=made.logprob,
            usage=made.usage,
            timing=Timing(
                retrieve_ms=retrieve_ms,
                first_token_ms=made.first_token_ms,
                total_ms=(time.perf_counter() - start) * 1000,
            ),
        )

    def _prompt(self, turn: Turn) -> tuple[int, ...]:
        """What of the conversation fits, the customer's last message always."""
        room = self._engine.context_length - self._max_tokens
        seen = list(turn.history)
        asked = Message("user", turn.question)
        prompt = self._builder.build([*seen, asked]).tokens
        while len(prompt) > room and seen:
            seen.pop(0)
            prompt = self._builder.build([*seen, asked]).tokens
        return prompt

    def _deciding(self, turn: Turn, policies: Sequence[Hit]) -> list[str]:
        """Sentences of policies that answer, the best first; none where none does."""
        sentences = sentences_of(policies)
        if not sentences or not isinstance(self._policies, Comparer):
            return []
        # What a section is about often stands in its heading alone.
        headings = [policies[one.hit].passage.heading for one in sentences]
        shown = [
            f"{heading.rsplit(' > ', 1)[-1]}: {one.text}" if heading else one.text
            for heading, one in zip(headings, sentences, strict=True)
        ]
        alike, least = self._policies.likeness(turn.question, shown), _ON_TOPIC
        if turn.standalone.text != turn.question:
            # What it takes over was answered before: alone it fits whatever is asked.
            whole = self._policies.likeness(turn.standalone.text, shown)
            alike = [(one + other) / 2 for one, other in zip(alike, whole, strict=True)]
            least = _STILL_ON_TOPIC
        best = max(alike)
        if best < least:
            return []
        order = sorted(range(len(sentences)), key=lambda n: (-alike[n], n))[:_SAID]
        chosen = [n for n in order if alike[n] >= _NEAR_BEST * best]
        # The passage of the best one first; within a passage as it stands there.
        chosen.sort(key=lambda n: (sentences[n].hit != sentences[order[0]].hit, n))
        return [sentences[n].text for n in chosen]

    def _look_up(self, label: str) -> tuple[str, Hit] | None:
        """What the policies give for a label, and where."""
        for hit in self._policies.search(label, k=_LABELLED):
            if value := value_of(label, hit.passage.text):
                return value, hit
        return None


def build_support(
    spec: SystemSpec,
    *,
    rewrite: RewriteMode = "rules",
    history_tokens: int = HISTORY_TOKENS,
) -> SupportSystem:
    """Load what a spec names whose model was tuned for support.

    Args:
        spec: As `build_system` takes it; how the model is asked stands in its folder.
        rewrite: How a follow-up is made to stand alone for the search; a model that
            writes replies rewrites nothing, so that `model` means the rules.
        history_tokens: Budget of the history, in tokens of the model.

    Raises:
        GroundtuneError: A model or the knowledge base cannot be opened.
    """
    from groundtune.augment.rewriting import by_rules

    cache = Path(spec.cache) if spec.cache else None
    folder = generator_folder(spec.model, cache=cache, offline=True)
    assert folder is not None, "is_for_support found one"
    asked = tuned_writer_spec(str(folder.path))
    engine, template = open_generator(
        spec.model,
        prompt_version=TEXT_PROMPT_VERSION,
        runtime=spec.runtime,
        cache=cache,
    )
    builder = TextPromptBuilder(
        template, engine.tokenizer, instruction=asked.instruction
    )
    embedder = open_named_embedder(spec.embedder, cache=cache, offline=True)
    kb = KnowledgeBase.open(Path(spec.kb), embedder=embedder)
    settings = RetrievalSettings(**spec.retrieval)
    policies, past = _parts(HybridRetriever(kb, embedder, settings), spec.where)
    finder = TurnFinder(
        policies,
        engine.tokenizer,
        rewrite=as_asked if rewrite == "none" else by_rules,
        history_tokens=history_tokens,
    )
    return SupportSystem(
        support.NAME,
        engine,
        builder,
        finder,
        policies,
        past=past,
        k=settings.k,
        max_tokens=asked.max_tokens,
    )


def is_for_support(model: str) -> bool:
    """Whether a generator was tuned for support, by its folder.

    One behind an endpoint is, where the folder that stands for it here was, and it is
    asked on the route that takes prompts as they were trained.
    """
    if is_remote(model):
        from groundtune.store.remote.settings import open_remote_model

        if open_remote_model(model).settings.route != "completions":
            return False
    folder = generator_folder(model, offline=True)
    return folder is not None and manifest_of(folder).get("task") == support.NAME


def _parts(base: HybridRetriever, where: str) -> tuple[_Part, _Part | None]:
    """Policies and past conversations; None where no document is one."""
    kind = f'{KIND} = "{CONVERSATION}"'
    both = f"({where}) and " if where.strip() else ""
    past = _Part(base, parse_filter(f"{both}{kind}"))
    try:
        past.search(KIND, k=1)
    except ConfigError:  # no document says of what kind it is, or `where` is wrong
        chosen = parse_filter(where) if where.strip() else None
        return _Part(base, chosen), None
    return _Part(base, parse_filter(f"{both}not {kind}")), past


def _turns(case: QaCase | DialogueCase) -> tuple[Message, ...]:
    if isinstance(case, DialogueCase):
        return case.messages
    return (Message("user", case.question),)


def _said_by_customer(turn: Turn) -> str:
    own = [said.content for said in turn.history if said.role == "user"]
    return "\n".join([*own, turn.question])
