"""The job `evaluate dialogue`: how well each turn of a conversation finds its passages.

Compared are the last turn alone, the whole history as one query, and rewriting by rules
and by a model. The turns of one document stand or fall together, so intervals are over
documents.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.augment.rewriting import (
    REWRITE_VERSION,
    RewritePromptBuilder,
    Standalone,
    by_rules,
)
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.data.dialogues import read_dialogue_documents, read_dialogues
from groundtune.measure.retrieval import first_rank, hit_at
from groundtune.recipes.dialogue_turns import (
    PARTS,
    GoldTurns,
    choose,
    group_of,
    switch,
)
from groundtune.recipes.evaluate import difference_of, figure_of
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model
from groundtune.recipes.optimization.switching import embedder_of
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.settings import read_settings
from groundtune.systems.follow_ups import (
    ModelRewriter,
    TurnFinder,
    as_asked,
)
from groundtune.tasks.dialogue import TURN_KINDS, turn_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import DialogueCase, Hit, Message
    from groundtune.measure.rows import Figure
    from groundtune.recipes.dialogue_turns import Part

CUTS = (1, 5, 10)
MEASURES = tuple(f"{what}_hit@{k}" for what in ("passage", "document") for k in CUTS)
"""A passage counts that holds half of a quoted evidence or more, or else the one that
holds most of it; a document where it is the case's source."""
PRIMARY = "passage_hit@5"
_COMPARED = (PRIMARY, "document_hit@5")
_DEPTH = 100

LAST, HISTORY, RULES, MODEL = "last", "history", "rules", "model"
SWITCHED = "switched"
"""First turns put behind a conversation about another document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFigures:
    """How well it is seen that a turn begins something new."""

    seen: Figure
    """Of the switched turns, share that were taken for a new topic."""
    false_alarms: Figure
    """Of the follow-up turns, share that were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueReport:
    """What `evaluate dialogue --json` prints."""

    turns: dict[str, dict[str, dict[str, Figure]]]
    """Kind of turn → method → measure → figure."""
    differences: dict[str, dict[str, dict[str, dict[str, Any]]]]
    """Kind of turn → such as `rules-last` → measure → paired difference and its p."""
    topics: TopicFigures | None
    """None where there are not both kinds of turns."""
    rewritten: dict[str, int]
    """Turns by what came of the model's wording: `used`, or why it was refused."""
    part: Part
    cases: int
    documents: int
    passages: int

    def to_json(self) -> dict[str, Any]:
        """The report with figures as `--json` prints them."""
        topics = self.topics
        return {
            "task": "dialogue",
            "part": self.part,
            "cases": self.cases,
            "documents": self.documents,
            "passages": self.passages,
            "prompt_version": REWRITE_VERSION,
            "turns": {
                kind: {
                    method: {name: figure.to_json() for name, figure in found.items()}
                    for method, found in methods.items()
                }
                for kind, methods in self.turns.items()
            },
            "differences": self.differences,
            "topics": topics
            and {
                "seen": topics.seen.to_json(),
                "false_alarms": topics.false_alarms.to_json(),
            },
            "rewritten": self.rewritten,
        }


def evaluate_dialogue(
    *,
    cases: Path,
    kb: Path,
    docs: Path | None = None,
    embedder: str | Embedder = DEFAULT_EMBEDDER,
    model: str = "",
    part: Part = "test",
    limit: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> DialogueReport:
    """Measure what is found for the turns of labelled conversations.

    Args:
        cases: Conversations with source and evidence, as `read_dialogues` takes them.
        kb: Knowledge base of their documents.
        docs: Documents in the layout of doc2dial, to make the base of or to bring it
            up to date with.
        embedder: Embedding model by name or folder, or one that is open.
        model: Generator whose rewriting is measured, too; empty: rules alone.
        part: The conversations of which documents: `dev` is for choosing settings.
        limit: At most so many of them, drawn by hash.
        seed: Of the parts, the drawing and the bootstrap.
        progress: Told of each step.

    Raises:
        ConfigError: There is no such part, or the limit is below 1.
        DataError: A file is not in its form, or no case has a source in the base.
        StoreError: The knowledge base cannot be used.
        ModelLoadError: A model cannot be opened.
    """
    if part not in PARTS or (limit is not None and limit < 1):
        raise ConfigError(
            f"part {part!r}, limit {limit}",
            fix=f"use one of {', '.join(PARTS)} and a limit of 1 or more",
            where="evaluate dialogue",
        )
    # 1) Cases whose right passages are known.
    found = read_dialogues(cases)
    base, opened = _open_base(kb, docs=docs, embedder=embedder, progress=progress)
    gold = GoldTurns(base)
    known = [case for case in found if gold.passages(case)]
    if not known:
        raise DataError(
            "no case names a source in the knowledge base and quotes its evidence",
            fix='give each case "source" and "evidence", or the documents with --docs',
            where=str(cases),
        )
    chosen = choose(known, part=part, limit=limit, seed=seed)

    # 2) Every method on every turn, and first turns once more after something else.
    retriever = HybridRetriever(
        base, opened, replace(read_settings(base.path), widen="none")
    )
    finders = _finders(retriever, opened, model=model, progress=progress)
    switched = switch(chosen, seed=seed)
    asked: list[tuple[DialogueCase, tuple[str, ...]]] = [
        *((case, turn_kinds(case)) for case in chosen),
        *((case, (SWITCHED,)) for case in switched),
    ]
    rows: list[_Row] = []
    for case, kinds in asked:
        rows.append(_row(case, kinds, finders, gold))
        progress("searching", len(rows), len(asked))

    # 3) Figures.
    return _report(rows, base, part=part, cases=len(chosen), seed=seed)


def _open_base(
    kb: Path, *, docs: Path | None, embedder: str | Embedder, progress: Progress
) -> tuple[KnowledgeBase, Embedder]:
    if docs is None:
        KnowledgeBase.open(kb)  # before a model is loaded
    opened = open_embedding_model(embedder_of(kb, embedder), progress=progress)
    if docs is None:
        return KnowledgeBase.open(kb, embedder=opened), opened
    documents = read_dialogue_documents(docs)
    base = KnowledgeBase.create_or_open(kb, embedder=opened)
    base.update(documents, delete_missing=False, progress=progress)
    return base, opened


def _finders(
    retriever: HybridRetriever, embedder: Embedder, *, model: str, progress: Progress
) -> dict[str, TurnFinder]:
    tokenizer = embedder.tokenizer
    finders = {
        LAST: TurnFinder(retriever, tokenizer, rewrite=as_asked),
        HISTORY: TurnFinder(
            retriever, tokenizer, rewrite=_everything, weight=1.0, reads_topics=False
        ),
        RULES: TurnFinder(retriever, tokenizer, rewrite=by_rules),
    }
    if model:
        from groundtune.augment.chat import ChatTemplate
        from groundtune.generate.engines import open_engine
        from groundtune.store.models import open_model

        folder = open_model(model, kind="generator", progress=progress)
        engine = open_engine(folder)
        template = ChatTemplate(folder.chat_template, where=folder.name)
        builder = RewritePromptBuilder(template, engine.tokenizer)
        finders[MODEL] = TurnFinder(
            retriever, tokenizer, rewrite=ModelRewriter(engine, builder)
        )
    return finders


def _everything(question: str, history: Sequence[Message]) -> Standalone:
    """The last turn and all before it, the latest first: embedders cut at the end."""
    turns = [question, *(turn.content for turn in reversed(history))]
    return Standalone(text=" ".join(turns), by="rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    group: str
    kinds: tuple[str, ...]
    scores: dict[str, dict[str, float]]
    """Method → measure → 1 or 0."""
    new_topic: bool
    rewritten: str
    """What came of the model's wording; empty where it was not asked."""


def _row(
    case: DialogueCase,
    kinds: tuple[str, ...],
    finders: Mapping[str, TurnFinder],
    gold: GoldTurns,
) -> _Row:
    right = gold.passages(case)
    scores: dict[str, dict[str, float]] = {}
    is_new, rewritten = False, ""
    for method, finder in finders.items():
        turn = finder.read(case.messages)
        hits = finder.find(turn, k=_DEPTH)
        scores[method] = _scores(hits, source=case.source, right=right)
        if method == RULES:
            is_new = turn.standalone.new_topic
        if method == MODEL and turn.history:
            rewritten = turn.standalone.refused or "used"
    return _Row(
        group=group_of(case),
        kinds=kinds,
        scores=scores,
        new_topic=is_new,
        rewritten=rewritten,
    )


def _scores(
    hits: Sequence[Hit], *, source: str, right: frozenset[str]
) -> dict[str, float]:
    documents = list(dict.fromkeys(hit.passage.document for hit in hits))
    ranks = {
        "passage": first_rank([hit.passage.id in right for hit in hits]),
        "document": first_rank([name == source for name in documents]),
    }
    return {
        f"{what}_hit@{k}": hit_at(rank, k) for what, rank in ranks.items() for k in CUTS
    }


def _report(
    rows: Sequence[_Row],
    base: KnowledgeBase,
    *,
    part: Part,
    cases: int,
    seed: int,
) -> DialogueReport:
    rng = np.random.default_rng(seed)
    turns: dict[str, dict[str, dict[str, Figure]]] = {}
    differences: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for kind in (*TURN_KINDS, SWITCHED):
        of_kind = [row for row in rows if kind in row.kinds]
        if not of_kind:
            continue
        groups = [row.group for row in of_kind]
        values = {
            method: {m: [row.scores[method][m] for row in of_kind] for m in MEASURES}
            for method in of_kind[0].scores
        }
        turns[kind] = {
            method: {m: figure_of(v, groups, rng=rng) for m, v in found.items()}
            for method, found in values.items()
        }
        pairs = [(method, LAST) for method in values if method != LAST]
        pairs += [(RULES, MODEL)] if MODEL in values else []
        differences[kind] = {
            f"{a}-{b}": {
                m: difference_of(values[a][m], values[b][m], groups, rng=rng)
                for m in _COMPARED
            }
            for a, b in pairs
        }
    rewritten: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.rewritten and SWITCHED not in row.kinds:
            rewritten[row.rewritten] += 1
    return DialogueReport(
        turns=turns,
        differences=differences,
        topics=_topics(rows, rng=rng),
        rewritten=dict(sorted(rewritten.items(), key=lambda item: -item[1])),
        part=part,
        cases=cases,
        documents=len(base.documents()),
        passages=base.count,
    )


def _topics(rows: Sequence[_Row], *, rng: np.random.Generator) -> TopicFigures | None:
    found: dict[str, Figure] = {}
    for kind in (SWITCHED, "follow_up"):
        of_kind = [row for row in rows if kind in row.kinds]
        if not of_kind:
            return None
        said = [float(row.new_topic) for row in of_kind]
        found[kind] = figure_of(said, [row.group for row in of_kind], rng=rng)
    return TopicFigures(seen=found[SWITCHED], false_alarms=found["follow_up"])
