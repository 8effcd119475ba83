"""Finding passages: BM25 and vectors, joined by a convex combination.

BM25 comes from the index on disk, similarity from `nearest` and the arithmetic from
`fuse`. What happens to a ranked list is decided here too: a cross-encoder may read the
best again, near-duplicates may make room, and hits may be widened.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import StoreError
from groundtune.retrieve.catalogue import Catalogue
from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.fuse import convex, diversify
from groundtune.retrieve.nearest import ExactVectors, IndexedVectors
from groundtune.retrieve.query_adapter import load_query_adapter
from groundtune.retrieve.schema import HIT_COLUMNS, TERMS, to_hit
from groundtune.retrieve.stamp import check_embedder
from groundtune.retrieve.vector_index import EXACT_LIMIT, read_vector_index
from groundtune.retrieve.widen import widen_hits
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
_SPARE = 32
"""Passages that the engine is asked for beyond those needed, to see where ties end."""
_KEPT = 512
"""Queries whose hits are remembered."""
_RERANKED = 50
"""Candidates that a cross-encoder reads."""


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
        self._languages = self._read_languages()
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

    def _search(
        self, queries: list[str], *, k: int, only: Restriction | None
    ) -> list[list[Hit]]:
        settings = self.settings
        wanted = max(k, settings.candidates)
        words: list[Future[dict[int, float]]] = []
        if settings.mode != "dense":
            # While these read the disk, the queries are embedded.
            words = [self._pool.submit(self._bm25, q, wanted, only) for q in queries]
        if settings.mode == "bm25":
            ranked: list[Scores] = [future.result() for future in words]
        else:
            ranked = [
                self._fused(
                    vector_D, words[number] if words else None, wanted=wanted, only=only
                )
                for number, vector_D in enumerate(self._embed(queries))
            ]
        return [
            self._finish(query, scores, k=k)
            for query, scores in zip(queries, ranked, strict=True)
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
    ) -> Scores:
        """Score of each candidate, by row."""
        compared = self._vectors.compare(vector_D)
        rows = {*compared.nearest(wanted, only=only)}
        if words is None:
            return compared.of(rows)
        by_words = words.result()
        dense = compared.of(rows.union(by_words))
        return convex(
            dense, by_words, alpha=self.settings.alpha, typical=compared.typical
        )

    def _finish(self, query: str, scores: Scores, *, k: int) -> list[Hit]:
        """The `k` hits that a ranked list ends in."""
        settings = self.settings
        order = sorted(scores, key=lambda row: (-scores[row], row))
        if self._reranker is not None:
            order = order[: max(k, _RERANKED)]
            read = [hit.passage for hit in self._read(order, scores)]
            scores = dict(zip(order, self._reranker.score(query, read), strict=True))
            order.sort(key=lambda row: (-scores[row], row))
        if settings.mmr is not None and order:
            relevance = [scores[row] for row in order]
            places = diversify(
                relevance, self._vectors.take(order), k=k, weight=settings.mmr
            )
            order = [order[place] for place in places]
        hits = self._read(order[:k], scores)
        if settings.mmr is None:
            hits.sort(key=lambda hit: (-hit.score, hit.passage.id))
        return widen_hits(self._kb, hits, how=settings.widen)

    def _bm25(
        self, query: str, limit: int, only: Restriction | None
    ) -> dict[int, float]:
        """The best `limit` passages by words, by row; ties go to the lower row."""
        # Each word counts once: that somebody says it twice makes it no better a sign.
        text = " ".join(dict.fromkeys(terms(query, self._languages).split()))
        if not text:
            return {}
        asked = limit + _SPARE
        if only is not None and not only.is_narrow:
            asked = math.ceil(asked / only.share)
        while True:
            found, last = self._match(text, asked, only)
            kept = sorted(found, key=lambda row: (-found[row], row))[:limit]
            # Which of equal passages comes last is the engine's own affair: where a
            # tie reaches the end of its list, ask for more.
            is_enough = len(kept) == limit and found[kept[-1]] > last
            if is_enough or last == -math.inf:
                return {row: found[row] for row in kept}
            asked *= 4

    def _match(
        self, text: str, limit: int, only: Restriction | None
    ) -> tuple[dict[int, float], float]:
        """Allowed passages among the engine's best, and the score of its last one.

        That is minus infinity if these are all that have any of the words.
        """
        from lancedb import query as fulltext

        match: Any = fulltext.MatchQuery  # its stub asks for what has a default
        columns = ["_score"]
        query = self._table.search(match(text, TERMS), query_type="fts").limit(limit)
        if only is not None and only.is_narrow:
            query = query.where(only.expression())
        elif only is not None:
            columns.append("key")
        with engine_errors(self._path):
            rows = query.select(columns).with_row_id(True).to_arrow()  # noqa: FBT003 (their signature)
        addresses: list[int] = rows.column("_rowid").to_pylist()
        scores: list[float] = rows.column("_score").to_pylist()
        last = min(scores) if len(scores) == limit else -math.inf
        pairs = zip(addresses, scores, strict=True)
        if len(columns) > 1 and only is not None:
            keys = rows.column("key").to_pylist()
            chosen = zip(pairs, keys, strict=True)
            pairs = (pair for pair, key in chosen if key in only.keys)
        return {self._vectors.row_of(address): s for address, s in pairs}, last

    def _read(self, rows: Sequence[int], scores: Scores) -> list[Hit]:
        """Hits in this order, each checked against its hash."""
        if not rows:
            return []
        where = str(self._path)
        found = self._vectors.held(rows) or self._stored(rows)
        return [
            to_hit(fields, score=scores[row], where=where)
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

    def _read_languages(self) -> list[str]:
        """Languages by which passages were stemmed."""
        import pyarrow.compute as pc

        with engine_errors(self._path):
            rows = self._table.search().select(["lang"]).to_arrow()
        distinct: Any = pc
        return sorted(distinct.unique(rows.column("lang")).to_pylist())


def _open_reranker(settings: RetrievalSettings) -> CrossEncoder | None:
    if not settings.rerank:
        return None
    from groundtune.retrieve.rerank import open_cross_encoder

    return open_cross_encoder(settings.rerank)
