"""The job `questions`: test cases drafted from a knowledge base, for review.

Drafting is by rule (`data.questions`). A model, where one is named, writes nothing: it
is asked the drafts without documents, and what it already knows is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.core.values import QaCase
from groundtune.data.questions.draft import chosen, draft_all, sift
from groundtune.data.questions.file import (
    fact_of,
    read_facts,
    rejected_file,
    write_facts,
)
from groundtune.measure.answers import contains, token_f1
from groundtune.retrieve.index import KnowledgeBase
from groundtune.store.files import write_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.core.values import Document
    from groundtune.data.questions.drafts import Draft
    from groundtune.data.questions.file import Fact

KNOWN_F1 = 0.5
"""Token F1 from which an answer given without documents counts as known."""
_ANSWER_TOKENS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsReport:
    """What was drafted."""

    out: str
    documents: int
    drafted: int
    """Facts that the rules found."""
    dropped: Mapping[str, int]
    """Why facts were left out, and how many."""
    facts: int
    """Facts written."""
    cases: int
    """Their wordings: a case each, none of them reviewed."""
    by_rule: Mapping[str, int]
    """Of the facts written."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def questions(
    *,
    kb: Path,
    out: Path,
    limit: int | None = None,
    seed: int = 0,
    model: str = "",
    progress: Progress = silent,
) -> QuestionsReport:
    """Draft test cases from the documents of a knowledge base.

    Kept are questions whose answer stands in the evidence and is not given away, that
    the base answers in one way only, and that are not nearly the same as another.

    Args:
        kb: Folder of the knowledge base.
        out: File of cases to write, JSON Lines; `reviewed` is false in all of them.
        limit: At most so many facts, spread over documents and rules; None: all.
        seed: Of which are taken, where there are more than `limit`.
        model: Generator that is asked each question without documents; what it
            already answers is left out. Empty: none.
        progress: Told how far it is.

    Raises:
        ConfigError: `out` exists already: reviews would be lost.
        DataError: The rules found nothing that can be asked.
        StoreError: There is no knowledge base.
        ModelLoadError: The model cannot be opened.
    """
    if out.exists():
        raise ConfigError(
            "there are drafted questions already",
            fix="review them with --review, or give another file",
            where=str(out),
        )
    base = KnowledgeBase.open(kb)
    names = [stored.id for stored in base.documents()]
    documents: dict[str, Document] = {}
    for done, name in enumerate(names):
        progress("reading documents", done, len(names))
        documents[name] = base.document(name)
    drafted = draft_all(documents.values())
    sifted = sift(drafted, {name: doc.text for name, doc in documents.items()})
    dropped = Counter(sifted.dropped)
    kept = list(sifted.drafts)
    if model:
        # Some will be known: twice as many as are wanted are asked.
        asked = chosen(kept, limit=limit and 2 * limit, seed=seed)
        kept = _unknown(asked, model=model, progress=progress)
        dropped["the model answers it alone"] = len(asked) - len(kept)
    kept = chosen(kept, limit=limit, seed=seed)
    if not kept:
        raise DataError(
            f"the rules found nothing to ask in {len(documents):,} documents",
            fix="write cases by hand: docs/evidence.md says how they look",
            where=str(kb),
        )
    facts = [fact_of(one, documents[one.document]) for one in kept]
    write_facts(out, facts)
    return QuestionsReport(
        out=str(out),
        documents=len(documents),
        drafted=len(drafted),
        dropped={why: count for why, count in dropped.items() if count},
        facts=len(facts),
        cases=sum(len(fact.questions) for fact in facts),
        by_rule=dict(Counter(one.rule for one in kept)),
    )


def _unknown(drafts: Sequence[Draft], *, model: str, progress: Progress) -> list[Draft]:
    """Drafts that the model, asked without documents, does not answer."""
    from groundtune.augment.prompt import BRIEF
    from groundtune.systems.build import SystemSpec, build_system
    from groundtune.systems.generators import generator_folder

    generator_folder(model, progress=progress)
    system = build_system(
        SystemSpec(
            name="plain", model=model, style=asdict(BRIEF), max_tokens=_ANSWER_TOKENS
        )
    )
    kept: list[Draft] = []
    for done, one in enumerate(drafts):
        progress("asking without documents", done, len(drafts))
        case = QaCase(id=str(done), question=one.questions[0], answers=(one.answer,))
        said = system.answer(case).text
        known = contains(said, case.answers) or token_f1(said, case.answers) >= KNOWN_F1
        if not known:
            kept.append(one)
    return kept


Decision = Literal["reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewReport:
    """How far a review is."""

    accepted: int
    """In all, this time and before."""
    rejected: int
    """In all; they stand in a file of their own."""
    left: int
    """Facts that nobody has looked at."""
    cases: int
    """Reviewed cases: the wordings of the accepted facts."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def review(
    path: Path, decide: Callable[[Fact, int, int], Fact | Decision | None]
) -> ReviewReport:
    """Go through the drafts of a file that nobody has looked at, one by one.

    Every decision is on disk before the next draft is shown, so a review may be broken
    off at any moment and gone on with later.

    Args:
        path: File of drafted cases.
        decide: Given a draft, its number and how many there are to look at; gives it
            back as it was accepted, `reject`, or None to stop.

    Raises:
        DataError: The file is missing, or is not of drafted cases.
        StoreError: It could not be written, or somebody else reviews it.
    """
    with write_lock(path.with_name(f".{path.name}.lock")):
        facts = {fact.id: fact for fact in read_facts(path)}
        aside = rejected_file(path)
        rejected = {f.id: f for f in read_facts(aside)} if aside.exists() else {}
        # Written aside, and not yet taken out: the last review ended in between.
        for gone in rejected.keys() & facts.keys():
            del facts[gone]
        waiting = [fact for fact in facts.values() if not fact.reviewed]
        for number, fact in enumerate(waiting, start=1):
            decision = decide(fact, number, len(waiting))
            if decision is None:
                break
            if decision == "reject":
                rejected[fact.id] = fact
                write_facts(aside, list(rejected.values()))
                del facts[fact.id]
            else:
                facts[fact.id] = replace(decision, reviewed=True)
            write_facts(path, list(facts.values()))
        accepted = [fact for fact in facts.values() if fact.reviewed]
        return ReviewReport(
            accepted=len(accepted),
            rejected=len(rejected),
            left=len(facts) - len(accepted),
            cases=sum(len(fact.questions) for fact in accepted),
        )
