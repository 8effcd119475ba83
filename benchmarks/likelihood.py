"""How likely a claim and its opposite are after a text: us beside transformers.

The usual way is a pass of transformers over text and claim for each of the two, with
logits of the claim's positions. Both get the same tokens of the same weights, in turn.
Printed: milliseconds for a claim, median, their ratio, and how far the differences of
the two log-likelihoods, which a verdict is learned from, lie apart.

Usage:

    python benchmarks/likelihood.py [--claims 20]

About a minute on two cores.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, Any

from groundtune.data.opposites import turned
from groundtune.data.worlds import make_world
from groundtune.generate.likelihood import TextScorer
from groundtune.recipes.ask import DEFAULT_GENERATOR
from groundtune.store.models import open_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.store.models import ModelFolder

SENTENCES = 6
"""Of a document that are read before a claim."""
WARM_UP = 2


class Usual:
    """transformers in bfloat16, a pass for each text."""

    def __init__(self, model: ModelFolder) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        loaded: Any = AutoModelForCausalLM.from_pretrained(
            model.path, dtype=torch.bfloat16
        )
        self._torch, self._model = torch, loaded.eval()
        self._tokenizer = model.tokenizer()

    def log_likelihoods(self, texts: Sequence[str], *, after: str) -> list[float]:
        """As `TextScorer.log_likelihoods`."""
        torch, before = self._torch, self._tokenizer.encode(after)
        found: list[float] = []
        for text in texts:
            ids = self._tokenizer.encode(text)
            with torch.inference_mode():
                out = self._model(
                    torch.tensor([before + ids]), logits_to_keep=len(ids) + 1
                )
            logs = torch.log_softmax(out.logits[0, :-1].float(), dim=-1)
            found.append(float(logs[torch.arange(len(ids)), torch.tensor(ids)].sum()))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--claims", type=int, default=20)
    chosen = parser.parse_args()

    model = open_model(DEFAULT_GENERATOR, kind="generator")
    systems = {"groundtune": TextScorer(model), "transformers": Usual(model)}
    took: dict[str, list[float]] = {name: [] for name in systems}
    apart: list[float] = []
    for number, (after, texts) in enumerate(_asked(chosen.claims + WARM_UP)):
        gaps: list[float] = []
        for name, system in systems.items():
            began = time.perf_counter()
            claim, opposite = system.log_likelihoods(texts, after=after)
            if number >= WARM_UP:
                took[name].append(1000 * (time.perf_counter() - began))
            gaps.append(claim - opposite)
        apart.append(abs(gaps[0] - gaps[1]))
    ours, theirs = (statistics.median(took[name]) for name in systems)
    for name, value in (("groundtune", ours), ("transformers", theirs)):
        print(f"{name:12}  {value:7.1f} ms a claim")
    print(f"ratio         {theirs / ours:7.2f} times as fast")
    print(f"differences   {statistics.median(apart):7.2f} apart, median of nats")


def _asked(count: int) -> list[tuple[str, list[str]]]:
    """What is read, and a sentence of it with its opposite."""
    found: list[tuple[str, list[str]]] = []
    for document in make_world(0).documents:
        sentences = [one for one in document.text.split(". ") if len(one) > 20]
        for start in range(0, len(sentences) - SENTENCES, SENTENCES):
            read = sentences[start : start + SENTENCES]
            for claim in read:
                if others := turned(claim)[:1]:
                    texts = [f" {claim}.", f" {others[0].text}."]
                    found.append((". ".join(read) + ".\n\nIn other words:", texts))
                    break
    return found[:count]


if __name__ == "__main__":
    main()
