"""Time to answer: our engine against transformers in bfloat16, in one run.

Prompts are 440 tokens of this project's own README and documentation, and an answer is
32 tokens, the shape of a question over retrieved passages. Each engine lives in a
process of its own, so that idle threads of one cannot slow the other; they take turns
on the same prompts. `python benchmarks/generate.py [--rounds 7]`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.generate.engines import open_engine
from groundtune.store.catalog import DEFAULT_GENERATOR
from groundtune.store.models import open_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    Run = Callable[[list[int]], int]

ROOT = Path(__file__).resolve().parent.parent
PROMPT_TOKENS = 440
NEW_TOKENS = 32
TARGET = 0.75


class Answered(NamedTuple):
    """How long one answer took, and how long it is."""

    seconds: float
    tokens: int


class Timed:
    """An engine in a child process that answers prompts one at a time."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(name, theirs))
        self._process.start()
        self._pipe.recv()

    def ask(self, prompt: list[int]) -> Answered:
        """Answer one prompt and say how long it took."""
        self._pipe.send(prompt)
        return self._pipe.recv()

    def close(self) -> None:
        """End the child process."""
        self._pipe.send(None)
        self._process.join()


def serve(name: str, pipe: Connection) -> None:
    run = ours() if name == "groundtune" else theirs()
    pipe.send("ready")
    while (prompt := pipe.recv()) is not None:
        start = time.perf_counter()
        tokens = run(prompt)
        pipe.send(Answered(time.perf_counter() - start, tokens))


def ours() -> Run:
    engine = open_engine(open_model(DEFAULT_GENERATOR, kind="generator"))

    def run(prompt: list[int]) -> int:
        made = engine.generate(prompt, max_tokens=NEW_TOKENS)
        return made.usage.output_tokens

    return run


def theirs() -> Run:
    import torch
    from transformers import AutoModelForCausalLM

    folder = open_model(DEFAULT_GENERATOR, kind="generator")
    loader: Any = AutoModelForCausalLM
    model = loader.from_pretrained(folder.path, dtype=torch.bfloat16).eval()
    torch.set_num_threads(os.cpu_count() or 1)

    def run(prompt: list[int]) -> int:
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            made = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=NEW_TOKENS,
                min_new_tokens=NEW_TOKENS,
                do_sample=False,
                pad_token_id=model.config.eos_token_id,
            )
        return int(made.shape[1]) - len(prompt)

    return run


def prompts_of(count: int) -> list[list[int]]:
    """Different stretches of our own documentation, each of the same length."""
    tokenizer = open_model(DEFAULT_GENERATOR, kind="generator").tokenizer()
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    ids = tokenizer.encode("\n\n".join(page.read_text("utf-8") for page in pages))
    step = (len(ids) - PROMPT_TOKENS) // count
    return [ids[i * step : i * step + PROMPT_TOKENS] for i in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="timed prompts")
    rounds = max(5, parser.parse_args().rounds)
    engines = [Timed("groundtune"), Timed("transformers bf16")]
    taken: dict[str, list[float]] = {engine.name: [] for engine in engines}
    # The first prompt warms both up.
    for number, prompt in enumerate(prompts_of(rounds + 1)):
        for engine in engines:
            answer = engine.ask(prompt)
            if answer.tokens != NEW_TOKENS:
                print(f"{engine.name}: {answer.tokens} tokens, prompt left out")
            elif number > 0:
                taken[engine.name].append(answer.seconds)
    for engine in engines:
        engine.close()
    print(f"{PROMPT_TOKENS}-token prompt, {NEW_TOKENS} new tokens, {rounds} prompts")
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{name:<18} median {median:.3f} s, fastest {min(seconds):.3f} s")
    mine, reference = (statistics.median(seconds) for seconds in taken.values())
    print(f"ratio {mine / reference:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    main()
