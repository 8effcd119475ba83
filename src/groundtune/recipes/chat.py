"""The job `chat`: several turns, each answered from a knowledge base with citations."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent
from groundtune.core.values import DialogueCase, Message
from groundtune.recipes.ask import DEFAULT_GENERATOR, ask_spec
from groundtune.recipes.chat_history import ChatHistory, KeptTurn, messages_of
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.systems.follow_ups import HISTORY_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from groundtune.augment.rewriting import RewriteMode, Standalone
    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import Answer
    from groundtune.systems.dialogue import DialogueSystem
    from groundtune.systems.follow_ups import Turn
    from groundtune.systems.support import SupportSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
    """What was asked, what was searched for, and what came of it."""

    question: str
    standalone: Standalone
    answer: Answer


class Conversation:
    """A conversation that goes on; use it as a context manager.

    A turn is kept, here and in the history file, once it is answered: one that is
    interrupted leaves no trace.
    """

    def __init__(
        self, system: DialogueSystem | SupportSystem, history: ChatHistory | None
    ) -> None:
        self._system = system
        self._history = history
        self._turns: list[KeptTurn] = list(history.turns) if history else []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._history is not None:
            self._history.close()

    @property
    def turns(self) -> tuple[KeptTurn, ...]:
        """The conversation so far, those read from the history file among them."""
        return tuple(self._turns)

    def say(
        self,
        question: str,
        *,
        on_text: Callable[[str], None] | None = None,
        on_query: Callable[[Standalone], None] | None = None,
    ) -> ChatTurn:
        """Answer the next turn.

        Args:
            question: In a person's words.
            on_text: Called with each piece of the answer as it is written.
            on_query: Called with what is searched for, before the search.

        Raises:
            ConfigError: The question is empty.
            GenerationError: The engine failed; the turn is not kept.
            StoreError: The turn cannot be written to the history file.
        """
        if not question.strip():
            raise ConfigError("the question is empty", fix="ask something")
        case = DialogueCase(
            id="chat",
            messages=(*messages_of(self._turns), Message("user", question.strip())),
            answers=(),
        )
        read: list[Standalone] = []

        def note(turn: Turn) -> None:
            read.append(turn.standalone)
            if on_query is not None:
                on_query(turn.standalone)

        answer = self._system.answer(case, on_text=on_text, on_turn=note)
        kept = KeptTurn(
            question=question.strip(),
            query=read[0].text,
            new_topic=read[0].new_topic,
            answer=answer.text,
            abstained=answer.abstained,
            citations=[asdict(citation) for citation in answer.citations],
        )
        if self._history is not None:
            self._history.append(kept)
        self._turns.append(kept)
        return ChatTurn(question=kept.question, standalone=read[0], answer=answer)

    def begin_anew(self) -> None:
        """Forget what was said; in the history file it still stands.

        Raises:
            StoreError: The history file cannot be written.
        """
        if self._history is not None:
            self._history.begin_anew()
        self._turns.clear()


def chat(
    *,
    kb: Path,
    model: str = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    k: int | None = None,
    where: str = "",
    settings: RetrievalSettings | None = None,
    runtime: str = "openvino",
    rewrite: RewriteMode = "rules",
    history: Path | None = None,
    history_tokens: int = HISTORY_TOKENS,
    progress: Progress = silent,
) -> Conversation:
    """Begin a conversation over a knowledge base, or take one up again.

    Args:
        kb: Folder of the knowledge base.
        model: Generator: catalog name, folder (a tuned one, say) or hub id.
        embedder: The embedding model that made the knowledge base.
        k: Passages to read; None: as the settings say.
        where: Which documents may be read, as `retrieve.filter` describes; empty: all.
        settings: How to retrieve; None: as it was chosen for this knowledge base.
        runtime: Engine that runs the generator.
        rewrite: How a follow-up question is made to stand alone: by `rules`, by the
            `model` (the rules stand in where its wording is unusable), or not (`none`).
        history: File to keep the conversation in; one that is there is gone on with.
        history_tokens: Tokens of the conversation that a turn is read in, at most.
        progress: Told about models that are fetched.

    Raises:
        ConfigError: `k` is below 1, or `where` is no filter.
        DataError: The history file is something else.
        StoreError: There is no knowledge base, another embedder made it, or the history
            file cannot be written.
        ModelLoadError: A model cannot be opened, or was tuned for another prompt.
        DownloadError: A model is not here and cannot be fetched.
    """
    from groundtune.systems.dialogue import build_dialogue
    from groundtune.systems.support import build_support, is_for_support

    if history_tokens < 0:
        raise ConfigError(
            f"history_tokens is {history_tokens}", fix="use 0 or more", where="chat"
        )
    asked = ask_spec(
        kb=kb,
        model=model,
        embedder=embedder,
        k=k,
        where=where,
        settings=settings,
        runtime=runtime,
        progress=progress,
    )
    # Opened before the models, which take longer, and closed if they fail.
    log = ChatHistory(history) if history is not None else None
    try:
        build = build_support if is_for_support(model) else build_dialogue
        system = build(asked.spec, rewrite=rewrite, history_tokens=history_tokens)
    except BaseException:
        if log is not None:
            log.close()
        raise
    return Conversation(system, log)
