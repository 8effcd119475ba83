"""What a search is judged by: labelled questions, or a BEIR collection.

Both know where the right evidence stands by document and words, never by passage ids,
so passages that are cut or widened in another way are judged by the same labels.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple, Protocol

from groundtune.data.gold import GoldFinder
from groundtune.measure.ranking import document_ranking, ndcg
from groundtune.measure.retrieval import first_rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.core.values import Hit, Passage, QaCase
    from groundtune.data.beir import Judgements
    from groundtune.retrieve.index import KnowledgeBase

_MOST_PER_DOCUMENT = 8
"""Passages fetched for each document that is to be ranked, at most."""

BEIR_K = 10


class Query(NamedTuple):
    """One labelled query."""

    id: str
    text: str
    group: str
    """Unit of resampling: queries of one document stand or fall together."""


class Judge(Protocol):
    """Says how good the hits of a query are."""

    def measure(self, k: int) -> str:
        """What `gain` measures where a search gives `k` passages."""
        ...

    def depth(self, k: int) -> int:
        """Passages to fetch so that `gain` can be computed."""
        ...

    def gain(self, query: str, hits: Sequence[Hit], *, k: int) -> float:
        """Quality in [0, 1] of the hits of the query with this id, best first."""
        ...


class CaseJudge:
    """Discounted gain of the first right passage among the `k` that a prompt gets.

    Right is a passage that holds an accepted answer where the evidence of the case
    stands. One is enough, so the gain is `1 / log2(1 + rank)`.
    """

    def __init__(self, cases: Sequence[QaCase], texts: Mapping[str, str]) -> None:
        """Take the cases.

        Args:
            cases: Those whose source is in the knowledge base.
            texts: Text of each document by id.
        """
        self._cases = {case.id: case for case in cases}
        self._texts = texts

    def measure(self, k: int) -> str:
        """See `Judge.measure`."""
        return f"ndcg@{k}"

    def depth(self, k: int) -> int:
        """See `Judge.depth`."""
        return k

    def rank(self, query: str, hits: Sequence[Hit]) -> int | None:
        """Rank of the first right hit, from 1; None if there is none."""
        passages = [hit.passage for hit in hits]
        right = GoldFinder(passages, self._texts).find(self._cases[query])
        return first_rank([passage in right for passage in passages])

    def gain(self, query: str, hits: Sequence[Hit], *, k: int) -> float:
        """See `Judge.gain`."""
        rank = self.rank(query, hits[:k])
        return 0.0 if rank is None else 1.0 / log2(1 + rank)


class BeirJudge:
    """nDCG of the first ten documents, each ranked by its best passage."""

    def __init__(self, judged: Judgements, *, per_document: int) -> None:
        """Take the judgements.

        Args:
            judged: Relevance of documents, by query.
            per_document: Most passages that a document of the knowledge base has.
        """
        self._judged = judged
        self._spread = max(1, min(per_document, _MOST_PER_DOCUMENT))

    def measure(self, k: int) -> str:  # noqa: ARG002 (documents are ranked, not k)
        """See `Judge.measure`."""
        return f"ndcg@{BEIR_K}"

    def depth(self, k: int) -> int:  # noqa: ARG002 (as above)
        """See `Judge.depth`."""
        return BEIR_K * self._spread

    def gain(self, query: str, hits: Sequence[Hit], *, k: int) -> float:  # noqa: ARG002
        """See `Judge.gain`."""
        ranked = document_ranking((hit.passage.document, hit.score) for hit in hits)
        return ndcg(ranked, self._judged[query], k=BEIR_K)


def per_document(kb: KnowledgeBase) -> int:
    """Most passages that a document of the knowledge base has; 1 where it is empty."""
    return max((stored.passages for stored in kb.documents()), default=1)


def case_judge(
    kb: KnowledgeBase, cases: Sequence[QaCase]
) -> tuple[CaseJudge, dict[str, list[Passage]]]:
    """A judge, and the right passages of each case that it can judge, by case id."""
    names = {stored.id for stored in kb.documents()}
    wanted = sorted({case.source for case in cases if case.source in names})
    texts = {name: kb.document_text(name) for name in wanted}
    finder = GoldFinder((p for name in wanted for p in kb.passages(name)), texts)
    found = {case.id: finder.find(case) for case in cases}
    right = {name: passages for name, passages in found.items() if passages}
    return CaseJudge([case for case in cases if case.id in right], texts), right
