"""Exports opened by the programs that they are for, and asked.

Each function opens a file or folder anew from disk and answers as
`tune.exports.trained` does for the model itself.
"""

from __future__ import annotations

import json
import secrets
import urllib.request
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.core.errors import ModelLoadError
from groundtune.generate.graph_export import GRAPH
from groundtune.tune.encoder.dataset import collate
from groundtune.tune.exports.nodes import require_export_extra
from groundtune.tune.exports.trained import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.core.protocols import Progress
    from groundtune.tune.encoder.dataset import Item

    Floats = npt.NDArray[np.float32]

_TOGETHER = 8
"""Texts side by side: what pads one must not change another."""
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
_CONTEXT_STEP = 256


class Asked(NamedTuple):
    """What a generator is asked."""

    texts: tuple[str, ...]
    prompts: tuple[list[int], ...]
    """The same as tokens of the trained model."""
    max_tokens: int
    ends: frozenset[int]
    config: dict[str, Any]


class Answered(NamedTuple):
    """What an export answered."""

    answers: list[Answer]
    same_prompts: int
    """Prompts that its own tokenizer cuts into the same tokens."""


def onnx_labels(path: Path, items: Sequence[Item], *, is_words: bool) -> list[Floats]:
    """Logits of each item by onnxruntime."""
    session = _session(path)

    def run(feed: dict[str, npt.NDArray[Any]]) -> Floats:
        return session.run(["logits"], feed)[0]

    return _in_batches(run, items, is_words=is_words)


def openvino_labels(
    path: Path, items: Sequence[Item], *, is_words: bool
) -> list[Floats]:
    """Logits of each item by OpenVINO."""
    import openvino as ov

    model: Any = ov.Core().compile_model(path, "CPU", _EXACT)

    def run(feed: dict[str, npt.NDArray[Any]]) -> Floats:
        return np.array(model(feed)["logits"])

    return _in_batches(run, items, is_words=is_words)


def _in_batches(
    run: Callable[[dict[str, npt.NDArray[Any]]], Floats],
    items: Sequence[Item],
    *,
    is_words: bool,
) -> list[Floats]:
    out: list[Floats] = []
    for start in range(0, len(items), _TOGETHER):
        chosen = items[start : start + _TOGETHER]
        batch = collate(chosen)
        logits = run({"input_ids": batch.ids_B_T, "attention_mask": batch.mask_B_T})
        for row, item in zip(logits, chosen, strict=True):
            out.append(row[item.places_S] if is_words else row[None])
    return out


def onnx_answers(path: Path, asked: Asked, progress: Progress) -> list[Answer]:
    """The answer to each prompt by onnxruntime, with the cache of the graph."""
    session = _session(path)
    names = [one.name for one in session.get_outputs()]
    kept = [one for one in session.get_inputs() if one.name.startswith("past")]
    nothing = {
        one.name: np.zeros((1, one.shape[1], 0, one.shape[3]), np.float32)
        for one in kept
    }
    answers: list[Answer] = []
    for number, prompt in enumerate(asked.prompts):
        progress("asking the export", number, len(asked.prompts))
        tokens: list[int] = []
        shares: list[float] = []
        ids, past, before = np.array([prompt], np.int64), nothing, 0
        while len(tokens) < asked.max_tokens and not asked.ends & set(tokens[-1:]):
            size = before + ids.shape[1]
            feed = {
                "input_ids": ids,
                "attention_mask": np.ones((1, size), np.int64),
                "position_ids": np.arange(before, size, dtype=np.int64)[None],
                **past,
            }
            found = dict(zip(names, session.run(None, feed), strict=True))
            best, share = _first_choice(found["logits"][0, -1])
            tokens.append(best)
            shares.append(share)
            past = {
                one: found[one.replace("past_key_values", "present")] for one in past
            }
            ids, before = np.array([[best]], np.int64), size
        answers.append(Answer(tuple(tokens), tuple(shares)))
    return answers


def openvino_answers(folder: Path, asked: Asked, progress: Progress) -> Answered:
    """The answer to each prompt by OpenVINO GenAI, which opens the folder.

    It does not tell how sure it was; the graph alone does, reading prompt and answer.
    """
    import openvino as ov
    import openvino_genai as genai

    options: dict[str, Any] = {"ATTENTION_BACKEND": "SDPA", **_EXACT}
    pipeline = genai.LLMPipeline(folder, "CPU", **options)
    settings = genai.GenerationConfig(
        max_new_tokens=asked.max_tokens, do_sample=False, apply_chat_template=False
    )
    settings.stop_token_ids = set(asked.ends)
    said: list[list[int]] = []
    for number, prompt in enumerate(asked.prompts):
        progress("asking the export", number, len(asked.prompts))
        ids = np.array([prompt], np.int64)
        inputs = genai.TokenizedInputs(ov.Tensor(ids), ov.Tensor(np.ones_like(ids)))
        found: Any = pipeline.generate(inputs, settings)
        said.append([int(token) for token in found.tokens[0]])
    tokenizer: Any = pipeline.get_tokenizer()
    cut = (
        tokenizer.encode(text, add_special_tokens=False).input_ids.data[0].tolist()
        for text in asked.texts
    )
    same = sum(a == b for a, b in zip(cut, asked.prompts, strict=True))
    del pipeline, tokenizer
    request: Any = (
        ov.Core().compile_model(folder / GRAPH, "CPU", _EXACT).create_infer_request()
    )
    answers = [
        _with_shares(request, prompt, tokens)
        for prompt, tokens in zip(asked.prompts, said, strict=True)
    ]
    return Answered(answers, same)


def _with_shares(request: Any, prompt: list[int], tokens: list[int]) -> Answer:  # noqa: ANN401 (no useful type)
    request.reset_state()
    ids = np.array([[*prompt, *tokens]], np.int64)
    found = request.infer(
        {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "position_ids": np.arange(ids.shape[1], dtype=np.int64)[None],
            "beam_idx": np.zeros(1, np.int32),
        }
    )
    logits_T_V = found["logits"][0][len(prompt) - 1 : -1]
    shares = [_first_choice(logits_V)[1] for logits_V in logits_T_V]
    return Answer(tuple(tokens), tuple(shares))


def llama_cpp_answers(path: Path, asked: Asked, progress: Progress) -> Answered:
    """The answer to each prompt by llama.cpp.

    Raises:
        ModelLoadError: llama.cpp cannot open the file.
    """
    require_export_extra("xllamacpp")
    library: Any = import_module("xllamacpp")
    longest = max(len(prompt) for prompt in asked.prompts) + asked.max_tokens
    settings = library.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx = -(-longest // _CONTEXT_STEP) * _CONTEXT_STEP
    settings.n_parallel = 1
    settings.n_gpu_layers = 0
    settings.warmup = False
    settings.verbosity = -1
    settings.ui = False
    # Threads that wait for each other sleep: others may hold the processor.
    settings.cpuparams.poll = settings.cpuparams_batch.poll = 0
    # It listens on this machine alone, and to nobody who does not know this.
    key = secrets.token_hex(16)
    settings.api_keys = [key]
    try:
        server = library.Server(settings)
    except RuntimeError as error:
        raise ModelLoadError(
            f"llama.cpp cannot open it: {error}",
            fix="report this with the model's config.json",
            where=str(path),
        ) from error
    told = _Told(server.listening_address, key)
    answers: list[Answer] = []
    same = 0
    for number, (text, prompt) in enumerate(
        zip(asked.texts, asked.prompts, strict=True)
    ):
        progress("asking the export", number, len(asked.prompts))
        same += _cut(told, text) == prompt
        answers.append(_continued(told, prompt, asked))
    return Answered(answers, same)


class _Told(NamedTuple):
    """Where llama.cpp listens, and what it wants to hear."""

    address: str
    key: str

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a request."""
        request = urllib.request.Request(  # noqa: S310 (the server of this process)
            f"{self.address}{path}",
            json.dumps(body).encode(),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.key}",
            },
        )
        # Without the proxies of the environment: nothing leaves this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=600) as answer:
            return json.load(answer)


def _cut(told: _Told, text: str) -> list[int]:
    """The tokens of a text by llama.cpp's own tokenizer."""
    body = {"content": text, "add_special": False, "parse_special": True}
    return [int(token) for token in told.post("/tokenize", body)["tokens"]]


def _continued(told: _Told, prompt: list[int], asked: Asked) -> Answer:
    tokens, shares = _next_tokens(told, prompt, asked.max_tokens)
    if len(shares) == len(tokens):
        return Answer(tuple(tokens), tuple(shares))
    # Of a token that ends within a character it tells no share, and not whose the
    # others are: then they are asked for one by one.
    tokens, shares = [], []
    while len(tokens) < asked.max_tokens and not asked.ends & set(tokens[-1:]):
        token, share = _next_tokens(told, [*prompt, *tokens], 1)
        tokens += token
        shares += share or [float("nan")]
    return Answer(tuple(tokens), tuple(shares))


def _next_tokens(
    told: _Told, prompt: list[int], count: int
) -> tuple[list[int], list[float]]:
    """The likeliest next tokens, and the shares that it tells."""
    body = {
        "prompt": prompt,
        "n_predict": count,
        "temperature": 0,
        "n_probs": 1,
        "return_tokens": True,
        "cache_prompt": count == 1,
    }
    found = told.post("/completion", body)
    sure = found.get("completion_probabilities") or ()
    return (
        [int(token) for token in found["tokens"]],
        [float(np.exp(one["logprob"])) for one in sure],
    )


def _session(path: Path) -> Any:  # noqa: ANN401 (no useful type)
    require_export_extra("onnxruntime")
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _first_choice(logits_V: Floats) -> tuple[int, float]:
    best = int(logits_V.argmax())
    weights_V = np.exp(logits_V.astype(np.float64) - logits_V[best])
    return best, float(1 / weights_V.sum())
