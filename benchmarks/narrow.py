"""Narrowing what was found to sentences: what it takes, what it keeps, what it saves.

Questions about a world of invented facts, five passages each. Beside us stands what
sentence filters of RAG frameworks do underneath: sentence-transformers encodes each
sentence alone, and the nearest are kept. Both get the same sentences, in turn.

    ms            to pick 3 sentences, for a question that was never asked
    kept          share of the questions whose answer stands in them, of those whose
                  answer stands in the passages; nothing was learned from cases
    first word    of SmolLM2, from the 3 sentences, narrowing included, over the same
                  from the first three passages whole
    bound         first word bound to copy from the sentences, over the same unbound

Usage:

    python benchmarks/narrow.py [--questions 60]

About three minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from groundtune.augment.prompt import INSTRUCTION, PROMPT_VERSION, PromptBuilder
from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.protocols import CopyingEngine
from groundtune.data.gold import holds_answer
from groundtune.data.sentences import sentences_of
from groundtune.data.worlds import make_world, write_world
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, ingest
from groundtune.retrieve.embed import open_named_embedder
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.narrow import NET, Narrower
from groundtune.retrieve.search import HybridRetriever
from groundtune.store.models import open_model
from groundtune.systems.generators import open_generator
from groundtune.tasks.qa import NOT_IN_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sentence_transformers import SentenceTransformer

    from groundtune.core.values import Hit, QaCase

_Result = TypeVar("_Result")

SENTENCES = 3
WHOLE = 3
"""Passages that are read whole."""
WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=60)
    chosen = parser.parse_args()

    from sentence_transformers import SentenceTransformer

    world = make_world(0)
    asked = list(world.test_seen)[: chosen.questions + WARM_UP]
    theirs = SentenceTransformer(
        str(open_model(DEFAULT_EMBEDDER, kind="embedder").path), device="cpu"
    )
    engine, template = open_generator(
        "smollm2-135m-instruct", prompt_version=PROMPT_VERSION
    )
    builder = PromptBuilder(template, engine.tokenizer, style=INSTRUCTION)

    assert isinstance(engine, CopyingEngine)

    def first_word(question: str, hits: Sequence[Hit]) -> None:
        prompt = builder.build(question, hits, budget=engine.context_length - 1)
        engine.generate(prompt.tokens, max_tokens=1)

    def bound_word(question: str, hits: Sequence[Hit]) -> None:
        prompt = builder.build(question, hits, budget=engine.context_length - 1)
        engine.copy(
            prompt.tokens,
            texts=[hit.passage.text for hit in hits],
            question=question,
            otherwise=NOT_IN_DOCUMENTS,
            max_tokens=1,
        )

    with tempfile.TemporaryDirectory() as folder:
        write_world(world, Path(folder) / "world")
        ingest([Path(folder) / "world" / "docs"], kb=Path(folder) / "kb")
        embedder = open_named_embedder(DEFAULT_EMBEDDER, offline=True)
        kb = KnowledgeBase.open(Path(folder) / "kb", embedder=embedder)
        retriever = HybridRetriever(kb, embedder, RetrievalSettings(k=NET))
        found = [(case, retriever.search(case.question, k=NET)) for case in asked]

    times: dict[str, list[float]] = {
        name: [] for name in ("ours", "theirs", "whole", "sentences", "free", "bound")
    }
    kept = {"ours": 0, "theirs": 0}
    answerable = 0
    for number, (case, hits) in enumerate(found):
        narrower = Narrower(embedder.encode)  # it has seen none of these sentences
        mine, ours_s = _timed(
            lambda c=case, h=hits, n=narrower: n.nearest(
                c.question, h, sentences=SENTENCES
            )
        )
        others, theirs_s = _timed(lambda c=case, h=hits: _nearest(theirs, c, h))
        _, whole_s = _timed(lambda c=case, h=hits: first_word(c.question, h[:WHOLE]))
        _, read_s = _timed(lambda c=case, m=mine: first_word(c.question, m))
        _, bound_s = _timed(lambda c=case, m=mine: bound_word(c.question, m))
        if number < WARM_UP:
            continue
        for name, value in zip(
            times,
            (ours_s, theirs_s, whole_s, ours_s + read_s, read_s, bound_s),
            strict=True,
        ):
            times[name].append(value)
        if any(holds_answer(hit.passage.text, case.answers) for hit in hits):
            answerable += 1
            texts = [hit.passage.text for hit in mine]
            kept["ours"] += any(holds_answer(text, case.answers) for text in texts)
            kept["theirs"] += any(holds_answer(text, case.answers) for text in others)

    middle = {name: statistics.median(values) for name, values in times.items()}
    result = {
        "questions": len(times["ours"]),
        "groundtune_ms": round(1000 * middle["ours"], 1),
        "sentence_transformers_ms": round(1000 * middle["theirs"], 1),
        "ratio": round(middle["ours"] / middle["theirs"], 2),
        "kept": {name: round(count / answerable, 3) for name, count in kept.items()},
        "first_word_ms": {
            "whole passages": round(1000 * middle["whole"], 1),
            "sentences": round(1000 * middle["sentences"], 1),
        },
        "first_word_ratio": round(middle["sentences"] / middle["whole"], 2),
        "bound_ratio": round(middle["bound"] / middle["free"], 2),
    }
    print(json.dumps(result, indent=2))


def _nearest(
    model: SentenceTransformer, case: QaCase, hits: Sequence[Hit]
) -> list[str]:
    """The sentences whose own vectors are nearest the question's."""
    texts = [s.text for hit in hits for s in sentences_of(hit.passage)]
    asked_D, *vectors = model.encode([case.question, *texts], normalize_embeddings=True)
    order = np.argsort([-float(asked_D @ vector_D) for vector_D in vectors])
    return [texts[int(at)] for at in order[:SENTENCES]]


def _timed(job: Callable[[], _Result]) -> tuple[_Result, float]:
    start = time.perf_counter()
    found = job()
    return found, time.perf_counter() - start


if __name__ == "__main__":
    main()
