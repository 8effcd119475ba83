"""What each option for better evidence is worth: found evidence against text shown.

Every option alone is held against the settings as they come, on the same questions,
searched one at a time: the share of questions whose evidence is shown, with the paired
difference over documents, the characters that a question is shown, and milliseconds.
`parts` is also measured on questions made of two (each with the next one about the same
document), where both answers have to be shown. Usage:

    python benchmarks/evidence.py CASES --kb KB [--limit 400] [--seed 0]

CASES are labelled questions on the documents of KB, such as a SQuAD file.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.config.retrieval import RetrievalSettings
from groundtune.data.cases import read_cases
from groundtune.data.splits import group_of, sample_cases
from groundtune.recipes.evaluate import difference_of, figure_of
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model
from groundtune.recipes.optimization.judge import Query, case_judge
from groundtune.recipes.optimization.measured import (
    RememberingEmbedder,
    measure_search,
)
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import QaCase
    from groundtune.recipes.optimization.measured import Measured

OPTIONS: dict[str, dict[str, Any]] = {
    "expand parts": {"expand": "parts"},
    "expand feedback": {"expand": "feedback"},
    "dedupe": {"dedupe": True},
    "mmr 0.7": {"mmr": 0.7},
    "widen neighbours": {"widen": "neighbours"},
    "widen section": {"widen": "section"},
    "centre 1": {"centre": 1},
    "centre 2": {"centre": 2},
    "k 6, centre 1": {"k": 6, "centre": 1},
    "k 6, centre 2": {"k": 6, "centre": 2},
    "order position": {"order": "position"},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path)
    parser.add_argument("--kb", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    embedder = RememberingEmbedder(open_embedding_model(DEFAULT_EMBEDDER))
    kb = KnowledgeBase.open(chosen.kb, embedder=embedder)
    cases = [case for case in read_cases(chosen.cases) if case.answerable]
    judge, right = case_judge(kb, cases)
    judged = [case for case in cases if right.get(case.id)]
    if not judged:
        sys.exit("the evidence of no question is in the knowledge base")
    taken = sample_cases(judged, limit=chosen.limit, seed=chosen.seed)
    queries = [Query(case.id, case.question, group_of(case)) for case in taken]

    def measure(settings: RetrievalSettings) -> Measured:
        return measure_search(kb, embedder, settings, queries=queries, judge=judge)

    start = RetrievalSettings()
    plain = measure(start)
    groups = [query.group for query in queries]
    rng = np.random.default_rng(chosen.seed)
    found = figure_of(plain.gains, groups, rng=rng).to_json()
    print(f"{len(queries)} questions, {judge.measure(start.k)}")
    print(
        f"{'as it comes':<18} {found['value']:.3f} [{found['low']:.3f}, "
        f"{found['high']:.3f}]  {plain.shown:6.0f} characters  "
        f"{plain.search_ms:5.1f} ms"
    )
    for name, changes in OPTIONS.items():
        one = measure(replace(start, **changes))
        gap = difference_of(one.gains, plain.gains, groups, rng=rng)["difference"]
        print(
            f"{name:<18} {gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]  "
            f"{one.shown:6.0f} characters  {one.search_ms:5.1f} ms"
        )
    two_parts(taken, kb, embedder, rng=rng)


def two_parts(
    cases: Sequence[QaCase],
    kb: KnowledgeBase,
    embedder: RememberingEmbedder,
    *,
    rng: np.random.Generator,
) -> None:
    """Both answers of a question of two parts, with and without `parts`."""
    pairs = [
        (one, other)
        for one, other in zip(cases[::2], cases[1::2], strict=False)
        if one.question.split()[0].lower()
        in {"what", "who", "when", "where", "which", "how", "why"}
        and other.question.split()[0].lower()
        in {"what", "who", "when", "where", "which", "how", "why"}
    ]
    gains: dict[str, list[float]] = {}
    for expand in ("none", "parts"):
        retriever = HybridRetriever(
            kb,
            embedder,
            RetrievalSettings(k=4, expand=expand),  # type: ignore[arg-type]
        )
        for one, other in pairs:
            question = f"{one.question.rstrip('? ')}, and {_lower(other.question)}"
            shown = " ".join(
                hit.passage.text for hit in retriever.search(question, k=4)
            ).casefold()
            both = all(
                any(answer.casefold() in shown for answer in case.answers)
                for case in (one, other)
            )
            gains.setdefault(expand, []).append(float(both))
    groups = [group_of(one) for one, _ in pairs]
    gap = difference_of(gains["parts"], gains["none"], groups, rng=rng)["difference"]
    print(
        f"\n{len(pairs)} questions of two parts, both answers shown (k 4): "
        f"{np.mean(gains['none']):.3f} as it comes, {np.mean(gains['parts']):.3f} by "
        f"parts, {gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


if __name__ == "__main__":
    main()
