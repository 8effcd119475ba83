"""Finding passages: BM25 and vectors, joined by a convex combination.

BM25 comes from `word_search`, similarity from `nearest` and the arithmetic from
`fuse`. What happens to a ranked list is decided here too: a cross-encoder may read the
best again, near-duplicates may make room, and hits may be widened.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import StoreError
from groundtune.retrieve.arrange import by_position, centred, without_repeats
from groundtune.retrieve.catalogue import Catalogue
from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.expand import (
    FEEDBACK_HITS,
    FEEDBACK_WEIGHT,
    feedback_words,
    joined_by_best,
    joined_by_weight,
    parts_of,
)
from groundtune.retrieve.fuse import convex, diversify
from groundtune.retrieve.nearest import ExactVectors, IndexedVectors
from groundtune.retrieve.query_adapter import load_query_adapter
from groundtune.retrieve.schema import HIT_COLUMNS, to_hit
from groundtune.retrieve.stamp import check_embedder
from groundtune.retrieve.vector_index import EXACT_LIMIT, read_vector_index
from groundtune.retrieve.widen import widen_hits
from groundtune.retrieve.word_search import WordSearch, languages_of
from groundtune.retrieve.words import terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.protocols import Embedder
    from groundtune.core.values import Hit
    from groundtune.retrieve.catalogue import Restriction
    from groundtune.retrieve.filter import Filter
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.nearest import PassageVectors
    from groundtune.retrieve.query_adapter import QueryAdapter
    from groundtune.retrieve.rerank import CrossEncoder

    Floats = npt.NDArray[np.float32]
    Scores = Mapping[int, float]

_THREADS = 4
_KEPT = 512
"""Queries whose hits are remembered."""
_SPARE_HITS = 3
"""Times `k` that are read where repeats are dropped."""
_RERANKED = 50
"""Candidates that a cross-encoder reads."""


class _Ranked(NamedTuple):
    """The candidates of one query, by row."""

    scores: Scores
    similarity: Scores
    """Cosines; empty where vectors were not compared."""


class HybridRetriever:
    """See `core.protocols.Retriever`. Sees the knowledge base as it was when made.

    In `hybrid` mode each list puts its best passages forward. Within the query both
    scores are scaled to [0, 1]: a vector's between the passage in the middle and the
    most similar one, BM25 between none of the words and the best passage. A passage
    that BM25 did not put forward counts as having none of the words.

    A hit's score is the one that it was ranked by, so that scores fall from hit to
    hit, except with `mmr`, which puts a less relevant passage above one that repeats
    what stands higher. May be shared between threads.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        embedder: Embedder,
        settings: RetrievalSettings | None = None,
        *,
        where: Filter | None = None,
        exact_limit: int = EXACT_LIMIT,
    ) -> None:
        """Open a knowledge base for searching.

        Args:
            kb: The base; its version at this moment is what is searched.
            embedder: The one that made it.
            settings: How to rank.
            where: Documents that may be found, where a search does not say otherwise.
            exact_limit: Passages up to which every vector is compared.

        Raises:
            StoreError: Another embedder made the base or the query adapter, or one of
                them is damaged.
            ModelLoadError: The cross-encoder that `settings` names cannot be opened.
        """
        check_embedder(kb.stamp, embedder, where=kb.path)
        self.settings = settings or RetrievalSettings()
        self._kb = kb
        self._path = kb.path
        self._embedder = embedder
        self._table = kb.snapshot()
        self._where = where
        self._catalogue = Catalogue(self._table, where=kb.path)
        self._reranker = _open_reranker(self.settings)
        self._adapter: QueryAdapter | None = None
        if name := self.settings.query_adapter:
            self._adapter = load_query_adapter(kb.path, name, embedder=embedder.name)
        with engine_errors(self._path):
            self._count = int(self._table.count_rows())
        self._vectors: PassageVectors
        if self._count > exact_limit:
            index = read_vector_index(kb.path)
            self._vectors = IndexedVectors(
                self._table, dim=embedder.dim, index=index, where=self._path
            )
        elif self._count:
            self._vectors = ExactVectors(
                self._table, dim=embedder.dim, where=self._path
            )
        self._languages = languages_of(self._table, where=self._path)
        if self._count:
            self._words = WordSearch(
                self._table, self._vectors, languages=self._languages, where=self._path
            )
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="search")
        self._known: OrderedDict[tuple[str, int, Filter | None], list[Hit]]
        self._known = OrderedDict()
        self._lock = threading.Lock()

    def search(self, query: str, *, k: int, where: Filter | None = None) -> list[Hit]:
        """See `Retriever.search`. A query without a word finds nothing by BM25."""
        return self.search_many([query], k=k, where=where)[0]

    def search_many(
        self, queries: Sequence[str], *, k: int, where: Filter | None = None
    ) -> list[list[Hit]]:
        """Search for each query; faster than one by one.

        Args:
            queries: A query that was asked before is answered from memory.
            k: Most hits for each.
            where: Documents that may be found; None: those of the retriever.

        Raises:
            ValueError: `k` is below 1 (a bug in the caller).
            ConfigError: No document has a key that the filter asks for.
            StoreError: A passage is damaged.
        """
        if k < 1:
            raise ValueError(f"k is {k}, must be at least 1")
        where = where or self._where
        with self._lock:
            only = self._catalogue.restrict(where) if where and self._count else None
        if not self._count or (only is not None and not only.keys):
            return [[] for _ in queries]
        with self._lock:
            found = {q: self._known.get((q, k, where)) for q in queries}
        fresh = [query for query, hits in found.items() if hits is None]
        for query, hits in zip(fresh, self._search(fresh, k=k, only=only), strict=True):
            found[query] = hits
            with self._lock:
                self._known[query, k, where] = hits
                if len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return [list(found[query] or ()) for query in queries]

    def likeness(self, text: str, others: Sequence[str]) -> list[float]:
        """See `Comparer.likeness`."""
        if not others:
            return []
        first_D, *rest = self._embedder.encode([text, *others])
        return [float(first_D @ other_D) for other_D in rest]

    def _search(
        self, queries: list[str], *, k: int, only: Restriction | None
    ) -> list[list[Hit]]:
        wanted = max(k, self.settings.candidates)
        if self.settings.expand == "parts":
            return self._search_parts(queries, k=k, wanted=wanted, only=only)
        ranked = self._rank(queries, wanted=wanted, only=only)
        if self.settings.expand == "feedback":
            ranked = self._with_feedback(queries, ranked, wanted=wanted, only=only)
        return [
            self._finish(query, found, k=k)
            for query, found in zip(queries, ranked, strict=True)
        ]

    def _search_parts(
        self, queries: list[str], *, k: int, wanted: int, only: Restriction | None
    ) -> list[list[Hit]]:
        """Each query and its parts; a passage counts by the one it fits best."""
        variants = [[query, *parts_of(query)] for query in queries]
        flat = [one for some in variants for one in some]
        ranked = iter(self._rank(flat, wanted=wanted, only=only))
        found: list[list[Hit]] = []
        for query, some in zip(queries, variants, strict=True):
            mine = [next(ranked) for _ in some]
            joined = _Ranked(
                joined_by_best([one.scores for one in mine]),
                joined_by_best([one.similarity for one in mine]),
            )
            found.append(self._finish(query, joined, k=k))
        return found

    def _with_feedback(
        self,
        queries: list[str],
        ranked: list[_Ranked],
        *,
        wanted: int,
        only: Restriction | None,
    ) -> list[_Ranked]:
        """What was ranked, joined with a search for words of the first hits."""
        longer: list[str] = []
        for query, found in zip(queries, ranked, strict=True):
            best = sorted(found.scores, key=lambda row: (-found.scores[row], row))
            texts = [
                terms(hit.passage.text, self._languages).split()
                for hit in self._read(best[:FEEDBACK_HITS], found)
            ]
            added = feedback_words(terms(query, self._languages).split(), texts)
            longer.append(" ".join([query, *added]))
        again = self._rank(longer, wanted=wanted, only=only)
        return [
            first._replace(
                scores=joined_by_weight(
                    first.scores, second.scores, weight=FEEDBACK_WEIGHT
                ),
                similarity={**second.similarity, **first.similarity},
            )
            for first, second in zip(ranked, again, strict=True)
        ]

    def _rank(
        self, queries: list[str], *, wanted: int, only: Restriction | None
    ) -> list[_Ranked]:
        """The candidates of each query, scored."""
        settings = self.settings
        words: list[Future[dict[int, float]]] = []
        if settings.mode != "dense":
            # While these read the disk, the queries are embedded.
            best = self._words.best
            words = [self._pool.submit(best, q, wanted, only) for q in queries]
        if settings.mode == "bm25":
            return [_Ranked(future.result(), {}) for future in words]
        return [
            self._fused(
                vector_D, words[number] if words else None, wanted=wanted, only=only
            )
            for number, vector_D in enumerate(self._embed(queries))
        ]

    def _embed(self, queries: list[str]) -> Floats | Sequence[Floats]:
        """The vectors that passages are compared with, one a query."""
        if not queries:
            return []
        vectors_Q_D = self._embedder.encode(queries)
        if self._adapter is None:
            return vectors_Q_D
        return self._adapter.apply(vectors_Q_D)

    def _fused(
        self,
        vector_D: Floats,
        words: Future[dict[int, float]] | None,
        *,
        wanted: int,
        only: Restriction | None,
    ) -> _Ranked:
        """Score of each candidate."""
        compared = self._vectors.compare(vector_D)
        rows = {*compared.nearest(wanted, only=only)}
        if words is None:
            dense = compared.of(rows)
            return _Ranked(dense, dense)
        by_words = words.result()
        dense = compared.of(rows.union(by_words))
        scores = convex(
            dense, by_words, alpha=self.settings.alpha, typical=compared.typical
        )
        return _Ranked(scores, dense)

    def _finish(self, query: str, found: _Ranked, *, k: int) -> list[Hit]:
        """The `k` hits that a ranked list ends in."""
        settings, scores = self.settings, found.scores
        order = sorted(scores, key=lambda row: (-scores[row], row))
        if self._reranker is not None:
            order = order[: max(k, _RERANKED)]
            read = [hit.passage for hit in self._read(order, found)]
            scores = dict(zip(order, self._reranker.score(query, read), strict=True))
            order.sort(key=lambda row: (-scores[row], row))
        if settings.mmr is not None and order:
            relevance = [scores[row] for row in order]
            places = diversify(
                relevance, self._vectors.take(order), k=k, weight=settings.mmr
            )
            order = [order[place] for place in places]
        # Of more than are wanted, where some of them may go.
        spare = order[: _SPARE_HITS * k if settings.dedupe else k]
        hits = self._read(spare, found._replace(scores=scores))
        if settings.dedupe:
            hits = without_repeats(hits)[:k]
        if settings.mmr is None:
            hits.sort(key=lambda hit: (-hit.score, hit.passage.id))
        hits = widen_hits(self._kb, hits, how=settings.widen)
        if settings.centre:
            hits = centred(hits, query, sentences=settings.centre)
        return by_position(hits) if settings.order == "position" else hits

    def _read(self, rows: Sequence[int], ranked: _Ranked) -> list[Hit]:
        """Hits in this order, each checked against its hash."""
        if not rows:
            return []
        where = str(self._path)
        found = self._vectors.held(rows) or self._stored(rows)
        return [
            to_hit(
                fields,
                score=ranked.scores[row],
                similarity=ranked.similarity.get(row),
                where=where,
            )
            for row, fields in zip(rows, found, strict=True)
        ]

    def _stored(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """What hits are made of, from disk."""
        addresses = [self._vectors.address_of(row) for row in rows]
        with engine_errors(self._path):
            query = self._table.take_row_ids(addresses).select(HIT_COLUMNS)
            found = query.with_row_id().to_arrow().to_pylist()
        by_address: dict[int, dict[str, Any]] = {row["_rowid"]: row for row in found}
        if by_address.keys() != set(addresses):
            raise StoreError(
                "the table does not hold the passages that its index names",
                fix=f"groundtune kb rebuild {self._path}",
                where=str(self._path),
            )
        return [by_address[address] for address in addresses]


def _open_reranker(settings: RetrievalSettings) -> CrossEncoder | None:
    if not settings.rerank:
        return None
    from groundtune.retrieve.rerank import open_cross_encoder

    return open_cross_encoder(settings.rerank)
