"""Time to the first word of an answer: groundtune beside LlamaIndex and Haystack.

    on this machine     the recipe `ask`, against retrieval alone and the engine's bare
                        reading of the very same prompt, question by question
    over an endpoint    each product's own query engine, streamed, over the same texts,
                        embedding model and OpenAI-compatible endpoint; overhead is what
                        the first word takes beyond what a bare client waits for it with
                        the very same request

There are two endpoints, on loopback. One answers the same words at once, so that what
is left is the product's own work: the bound is held against that. The other is
llama.cpp's server with SmolLM2, where a prompt takes its usual time, seconds, so that
what a product adds is within the noise of two prompts: processor time tells more.

Texts are abstracts of SciFact of at most 220 tokens, so that all systems make one
passage of each. They are searched by words and vectors as in `search.py`, and once more
by vectors alone, as the first examples of the peers do. No question is asked twice of
one opened index, so no cache can answer. Models and indexes are loaded beforehand.
Usage:

    python benchmarks/ask.py SCIFACT [--questions 40] [--threads 1] [--peers haystack]

Some five minutes on one core, once the environments of the peers are there.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.augment.prompt import PROMPT_VERSION, PromptBuilder
from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.values import QaCase
from groundtune.data.beir import read_beir
from groundtune.recipes.ask import DEFAULT_GENERATOR, ask_spec, open_ask
from groundtune.recipes.ingest import open_embedding_model
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.store.gguf import write_gguf
from groundtune.store.models import open_model
from groundtune.systems.build import read_style
from groundtune.systems.generators import open_generator
from peers.bare import Bare, endpoint
from peers.children import OURS, Child, interpreters
from peers.command import environments_folder, model_folder, options, run, target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from groundtune.core.protocols import System
    from groundtune.core.values import Document

LOCAL_BOUND = 1.15
"""First word of `ask` over retrieval and the engine's own prefill."""
PEER_BOUND = 0.5
"""Our overhead over that of the better peer."""
K = 3
TOKENS = 220
"""Of a text, for the embedding model: nobody cuts it then."""
ANSWER_TOKENS = 16
WARM_UP = 5
LIMIT_SECONDS = 120
"""For one answer of one system, an index included."""
EMBEDDER = "all-minilm-l6-v2"
PEERS = ("llamaindex", "haystack")
TITLES = {
    "hybrid": "endpoint that answers at once, words and vectors",
    "dense": "the same, vectors alone",
    "llama.cpp": "llama.cpp's server, words and vectors",
}


class Asked(NamedTuple):
    """One question to one system, in seconds."""

    first: float
    """To the first word of its answer."""
    endpoint: float
    """To the first word that a bare client gets for the same request."""
    cpu: float
    request: bytes

    @property
    def overhead(self) -> float:
        """What the system adds."""
        return self.first - self.endpoint


class _SeenError(Exception):
    """No error: the first piece came, and no more is wanted."""


def main() -> None:
    parser = options(__doc__)
    parser.set_defaults(peers=list(PEERS))
    parser.add_argument("--documents", type=int, default=400, help="texts to index")
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument(
        "--real", type=int, default=5, help="questions to llama.cpp's server; 0: none"
    )
    chosen = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[: chosen.threads])
    collection = read_beir(chosen.data)
    pythons = interpreters(chosen.peers, root=environments_folder(chosen.envs))
    names = [*collection.judged("test"), *collection.judged("train")]
    questions = [collection.queries[name] for name in names]
    questions = questions[: WARM_UP + max(1, chosen.questions)]
    result: dict[str, Any] = {"questions": len(questions) - WARM_UP, "k": K}
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        count = write_short(collection.documents(), root / "texts", chosen.documents)
        children = [
            stack.enter_context(
                Child(
                    name,
                    python=pythons[name],
                    model=model_folder(),
                    threads=chosen.threads,
                    limit=LIMIT_SECONDS,
                    worker="ask_worker.py",
                )
            )
            for name in pythons
        ]
        for child in children:
            built = child.ask(
                "build", documents=str(root / "texts"), index=str(root / child.name)
            )
            if built["passages"] != count:
                raise SystemExit(f"{child.name} made {built['passages']} passages")
            print(f"{child.name}: indexed, {built['seconds']:.0f} s", file=sys.stderr)
        result["texts"] = count
        result["local"] = local(root / OURS, questions)
        print("measured on this machine", file=sys.stderr)
        fixed = stack.enter_context(endpoint("fixed"))
        asked: dict[str, dict[str, list[Asked]]] = {}
        for mode in ("hybrid", "dense"):
            open_all(children, root, mode=mode, url=fixed)
            asked[mode] = ask_all(children, questions, url=fixed)
            print(f"measured over an endpoint, {mode}", file=sys.stderr)
        if chosen.real:
            model = gguf(root), str(chosen.threads)
            url = stack.enter_context(endpoint("llama", *model))
            open_all(children, root, mode="hybrid", url=url)
            asked["llama.cpp"] = ask_all(
                children,
                questions[WARM_UP : WARM_UP + chosen.real],
                url=url,
                warm_up=0,
                known=asked["hybrid"],
            )
    result["over an endpoint"] = {
        part: {name: figures(found) for name, found in systems.items()}
        for part, systems in asked.items()
    }
    if chosen.json:
        print(json.dumps(result, indent=2))
    else:
        show(result, threads=chosen.threads)


def write_short(documents: Iterable[Document], folder: Path, count: int) -> int:
    """Write the first texts that are short enough to be one passage everywhere."""
    folder.mkdir()
    tokenizer = open_model(EMBEDDER, kind="embedder").tokenizer()
    whole = ((one.id, f"{one.title}\n\n{one.text}\n") for one in documents)
    short = (pair for pair in whole if len(tokenizer.encode(pair[1])) <= TOKENS)
    written = 0
    for name, text in islice(short, count):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        written += 1
    return written


def local(kb: Path, questions: Sequence[str]) -> dict[str, float]:
    """First word of `ask` on this machine, and of its parts alone, in turn."""
    system = open_ask(kb=kb, k=K)
    parts = Parts(kb)
    times: list[tuple[float, float, float]] = []
    for number, question in enumerate(questions):
        # Nobody always comes after the same one.
        if number % 2:
            whole = first_word(system, question)
            times.append((whole, *parts.seconds(question)))
        else:
            alone = parts.seconds(question)
            times.append((first_word(system, question), *alone))
    timed = times[WARM_UP:]
    return {
        "ask_ms": middle(ask for ask, _, _ in timed),
        "retrieval_ms": middle(retrieval for _, retrieval, _ in timed),
        "prefill_ms": middle(prefill for _, _, prefill in timed),
        "ratio": round(
            statistics.median(
                ask / (retrieval + prefill) for ask, retrieval, prefill in timed
            ),
            4,
        ),
    }


class Parts:
    """What `ask` cannot do without: a search, and the model's reading of the prompt."""

    def __init__(self, kb: Path) -> None:
        spec = ask_spec(kb=kb, k=K).spec
        embedder = open_embedding_model(spec.embedder)
        # A retriever of its own: what one was asked the other does not know.
        self._retriever = HybridRetriever(
            KnowledgeBase.open(kb, embedder=embedder),
            embedder,
            RetrievalSettings(**spec.retrieval),
        )
        self._engine, template = open_generator(
            spec.model, prompt_version=PROMPT_VERSION
        )
        self._builder = PromptBuilder(
            template, self._engine.tokenizer, style=read_style(spec.style)
        )
        self._budget = self._engine.context_length - spec.max_tokens

    def seconds(self, question: str) -> tuple[float, float]:
        """Of the search, and of one token after the prompt that `ask` would make."""
        start = time.perf_counter()
        hits = self._retriever.search(question, k=K)
        retrieval = time.perf_counter() - start
        prompt = self._builder.build(question, hits, budget=self._budget)
        start = time.perf_counter()
        self._engine.generate(prompt.tokens, max_tokens=1)
        return retrieval, time.perf_counter() - start


def first_word(system: System, question: str) -> float:
    """Seconds to the first piece of an answer, which is not gone on with."""

    def stop(_text: str) -> None:
        raise _SeenError

    start = time.perf_counter()
    with suppress(_SeenError):
        system.answer(QaCase(id="ask", question=question, answers=()), on_text=stop)
    return time.perf_counter() - start


def open_all(children: Sequence[Child], root: Path, *, mode: str, url: str) -> None:
    """Have every system open its index anew, so that it knows no question yet."""
    for child in children:
        child.ask(
            "open",
            index=str(root / child.name),
            mode=mode,
            k=K,
            url=url,
            tokens=ANSWER_TOKENS,
        )


def ask_all(
    children: Sequence[Child],
    questions: Sequence[str],
    *,
    url: str,
    warm_up: int = WARM_UP,
    known: Mapping[str, Sequence[Asked]] | None = None,
) -> dict[str, list[Asked]]:
    """Ask each system each question; they take turns.

    Args:
        children: The systems, opened.
        questions: What is asked.
        url: The endpoint.
        warm_up: How many of the first are not counted.
        known: Where an endpoint does not keep what it was asked: the same questions
            at one that did. A system asks the same way of both.
    """
    bare = Bare(url)
    asked: dict[str, list[Asked]] = {child.name: [] for child in children}
    for number, question in enumerate(questions):
        turn = number % len(children)
        for child in [*children[turn:], *children[:turn]]:
            reply = child.ask("ask", question=question)
            if number < warm_up:
                continue
            request = known[child.name][number].request if known else bare.last_asked()
            alone = bare.first_word(request)
            asked[child.name].append(
                Asked(reply["seconds"], alone, reply["cpu_seconds"], request)
            )
    return asked


def gguf(folder: Path) -> str:
    """The shipped generator as llama.cpp reads it."""
    path = folder / "model.gguf"
    model = open_model(DEFAULT_GENERATOR, kind="generator")
    write_gguf(model, path, quantization="q8_0")
    return str(path)


def figures(found: Sequence[Asked]) -> dict[str, float]:
    return {
        "first_ms": middle(one.first for one in found),
        "endpoint_ms": middle(one.endpoint for one in found),
        "overhead_ms": middle(one.overhead for one in found),
        "cpu_ms": middle(one.cpu for one in found),
        "request_bytes": round(statistics.median(len(one.request) for one in found)),
    }


def middle(seconds: Iterable[float]) -> float:
    """Median, in milliseconds."""
    return round(1000 * statistics.median(seconds), 2)


def show(result: dict[str, Any], *, threads: int) -> None:
    print(
        f"{result['texts']} texts, {result['questions']} questions, "
        f"{K} passages each, {threads} threads; medians in ms"
    )
    own = result["local"]
    verdict = "met" if own["ratio"] <= LOCAL_BOUND else "missed"
    print(
        f"on this machine: first word of ask {own['ask_ms']:.1f}, retrieval "
        f"{own['retrieval_ms']:.1f}, the engine's prefill {own['prefill_ms']:.1f}: "
        f"ratio {own['ratio']:.3f} (at most {LOCAL_BOUND}: {verdict})"
    )
    for part, systems in result["over an endpoint"].items():
        print(f"\n{TITLES[part]}")
        print(
            f"{'':<12} {'first word':>10} {'endpoint':>9} {'overhead':>9} {'CPU':>7} "
            f"{'bytes asked':>12}"
        )
        for name, row in systems.items():
            print(
                f"{name:<12} {row['first_ms']:>10.1f} {row['endpoint_ms']:>9.1f} "
                f"{row['overhead_ms']:>9.1f} {row['cpu_ms']:>7.1f} "
                f"{row['request_bytes']:>12}"
            )
        if part != "llama.cpp":  # there it is within the noise of a prompt
            values = {name: row["overhead_ms"] for name, row in systems.items()}
            print(target("overhead", values, bound="at most", to=PEER_BOUND))


if __name__ == "__main__":
    run(main)
