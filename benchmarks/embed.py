"""Passages a second: our embedder against sentence-transformers as it comes.

Both embed the same texts in one run, turn by turn, so that a busy machine slows both.
Texts are made by rule and seed and have 20 to 250 tokens. Usage:

    python benchmarks/embed.py [--texts 192] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from groundtune.retrieve.embed import open_embedder
from groundtune.store.models import open_model

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = """
harbour lantern orchard survey copper ledger meadow signal engine
river council winter archive bridge mineral pattern village account
current shelter granite who when where because before under
between carries measures records explains the a of in
and to is was by with for from that
which an on at it as were
"""


def make_texts(count: int, *, rng: np.random.Generator) -> list[str]:
    """Texts of 18 to 248 words, one token each, two more for the model's marks."""
    words = WORDS.split()
    lengths = rng.integers(18, 249, count)
    return [" ".join(rng.choice(words, int(length))) for length in lengths]


def seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=192)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()

    from sentence_transformers import SentenceTransformer

    folder = open_model("all-minilm-l6-v2", kind="embedder")
    texts = make_texts(chosen.texts, rng=np.random.default_rng(0))
    ours = open_embedder(folder)
    theirs = SentenceTransformer(str(folder.path), device="cpu")
    query = "who measures the current under the bridge"

    ours.encode(texts[:8])
    theirs.encode(texts[:8])
    times: dict[str, list[float]] = {"ours": [], "theirs": [], "query": []}
    for _ in range(chosen.repeats):
        times["theirs"].append(seconds(lambda: theirs.encode(texts)))
        times["ours"].append(seconds(lambda: ours.encode(texts)))
        times["query"].append(seconds(lambda: ours.encode([query])))

    expected = np.asarray(theirs.encode(texts, normalize_embeddings=True))
    cosine = float((ours.encode(texts) * expected).sum(axis=1).min())
    middle = {name: statistics.median(values) for name, values in times.items()}
    print(
        json.dumps(
            {
                "texts": len(texts),
                "precision": ours.precision,
                "groundtune_per_second": round(len(texts) / middle["ours"], 1),
                "sentence_transformers_per_second": round(
                    len(texts) / middle["theirs"], 1
                ),
                "ratio": round(middle["theirs"] / middle["ours"], 2),
                "query_ms": round(1000 * middle["query"], 2),
                "lowest_cosine": round(cosine, 5),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
