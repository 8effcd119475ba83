"""The default engine: OpenVINO GenAI on the CPU, from a GGUF of our own writing.

Why this form, and why these settings: docs/decisions/0002-generation-engine.md.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, SupportsInt
from xml.etree import ElementTree

import numpy as np
import openvino
import openvino_genai

from groundtune.core.errors import GenerationError, ModelLoadError
from groundtune.core.fingerprint import canonical_json
from groundtune.generate.engines import (
    FolderEngine,
    TextStream,
    check_request,
    end_tokens,
)
from groundtune.generate.spans import span_grammar
from groundtune.store.download import default_cache
from groundtune.store.files import explained
from groundtune.store.folders import publish_folder, remove_folder, waiting_lock
from groundtune.store.gguf import write_gguf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.generate.engines import EngineOptions, Generated
    from groundtune.store.gguf import Quantization
    from groundtune.store.models import ModelFolder

_QUANTIZATION: Quantization = "f16"
_FORM = 2
"""Bump when what is written into the cache changes."""
_DONE = "openvino_model.xml"
_KEPT = 8
"""Graphs that stay in the cache, the last used; a small model's takes 271 MB."""
_SETTINGS: dict[str, Any] = {
    # Plain attention keeps nothing between prompts: the paged one shares prefixes.
    "ATTENTION_BACKEND": "SDPA",
}


class OpenVinoEngine(FolderEngine):
    """Greedy decoding with OpenVINO GenAI, one prompt at a time.

    An answer depends on its prompt alone: no state is kept between prompts.
    """

    def __init__(
        self,
        model: ModelFolder,
        *,
        cache: Path,
        precision: Literal["auto", "f32"] = "auto",
    ) -> None:
        super().__init__(model)
        self._ends = end_tokens(model)
        self._lock = threading.Lock()
        self._precision = precision
        settings = dict(_SETTINGS)
        if precision == "f32":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        folder = graph_folder(model, cache)
        try:
            self._pipeline = openvino_genai.LLMPipeline(folder, "CPU", **settings)
        except RuntimeError as error:
            raise cannot_open(model, error) from error

    @property
    def name(self) -> str:
        """Model, weights and runtime."""
        sha = self._folder.weights_sha256[:8]
        exact = "-exact" if self._precision == "f32" else ""
        return f"{self._folder.name}@{sha}/openvino-{_QUANTIZATION}{exact}"

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        """See `Engine.generate`. Threads take turns."""
        return self._continue(prompt, self._settings(max_tokens), on_text)

    def copy(
        self,
        prompt: Sequence[int],
        *,
        texts: Sequence[str],
        question: str,
        otherwise: str,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        """See `CopyingEngine.copy`. Threads take turns."""
        settings = self._settings(max_tokens)
        if grammar := span_grammar(texts, question=question, otherwise=otherwise):
            bound = openvino_genai.StructuredOutputConfig()
            bound.grammar = grammar
            settings.structured_output_config = bound
        return self._continue(prompt, settings, on_text)

    def _settings(self, max_tokens: int) -> openvino_genai.GenerationConfig:
        settings = openvino_genai.GenerationConfig(
            max_new_tokens=max_tokens, do_sample=False, apply_chat_template=False
        )
        settings.stop_token_ids = set(self._ends)
        settings.logprobs = 1  # without it the sum of log probabilities stays 0
        return settings

    def _continue(
        self,
        prompt: Sequence[int],
        settings: openvino_genai.GenerationConfig,
        on_text: Callable[[str], None] | None,
    ) -> Generated:
        max_tokens = int(settings.max_new_tokens)
        check_request(prompt, max_tokens, context=self.context_length)
        ids = np.array([list(prompt)], dtype=np.int64)
        inputs = openvino_genai.TokenizedInputs(
            openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids))
        )
        with self._lock:
            streamer = _Streamer(TextStream(self._tokenizer, on_text), self._ends)
            try:
                made = self._pipeline.generate(inputs, settings, streamer)
            except RuntimeError as error:
                raise GenerationError(
                    f"OpenVINO failed: {last_line(error)}",
                    fix="use a shorter prompt, or the transformers engine",
                ) from error
            if streamer.failure is not None:
                raise streamer.failure
            return streamer.stream.finish(
                prompt_tokens=len(prompt), logprob=float(made.scores[0])
            )


class _Streamer(openvino_genai.StreamerBase):
    """Receives tokens from the pipeline as they are chosen."""

    def __init__(self, stream: TextStream, ends: frozenset[int]) -> None:
        super().__init__()
        self.stream = stream
        self.failure: BaseException | None = None
        self._ends = ends

    def write(
        self, token: SupportsInt | Sequence[SupportsInt]
    ) -> openvino_genai.StreamingStatus:
        """Take new tokens; what the caller's `on_text` raises ends the answer."""
        for each in token if isinstance(token, Sequence) else [token]:
            number = int(each)
            if number in self._ends:
                return openvino_genai.StreamingStatus.STOP
            try:
                self.stream.add(number)
            except BaseException as error:  # noqa: BLE001 (raised again by generate)
                self.failure = error
                return openvino_genai.StreamingStatus.CANCEL
        return openvino_genai.StreamingStatus.RUNNING

    def end(self) -> None:
        """Nothing is held back: `TextStream.finish` hands out the rest."""


def graph_folder(
    model: ModelFolder, cache: Path, *, quantization: Quantization = _QUANTIZATION
) -> Path:
    """The folder of a model's OpenVINO graph in the cache, made on first use.

    OpenVINO reads a GGUF in seconds at every start; the graph that it makes of it
    opens in a fraction, so that is what is kept.
    """
    key = {
        "form": _FORM,
        "openvino": openvino_genai.get_version(),
        "weights": model.weights_sha256,
        "config": model.config,
        "quantization": quantization,
    }
    digest = hashlib.sha256(canonical_json(key).encode()).hexdigest()[:16]
    folder = cache / "engines" / f"openvino-{digest}"
    if not (folder / _DONE).exists():
        with explained(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with waiting_lock(folder.with_suffix(".lock")):
            if not (folder / _DONE).exists():
                _make_graph(model, folder, quantization=quantization)
                forget_oldest(folder.parent, but=folder)
    with suppress(OSError):  # a cache that may only be read serves as well
        (folder / _DONE).touch()  # its place among the last used
    return folder


def forget_oldest(cache: Path, *, but: Path) -> None:
    """Remove the graphs that were not used for longest: each can be made again."""
    used = {
        done.parent: done.stat().st_mtime for done in cache.glob(f"openvino-*/{_DONE}")
    }
    used.pop(but, None)
    for folder in sorted(used, key=used.__getitem__, reverse=True)[_KEPT - 1 :]:
        remove_folder(folder)


def _make_graph(
    model: ModelFolder, folder: Path, *, quantization: Quantization
) -> None:
    made = folder.with_suffix(".new")
    remove_folder(made)
    source = made / "model.gguf"
    write_gguf(model, source, quantization=quantization)
    try:
        openvino_genai.LLMPipeline(source, "CPU", enable_save_ov_model=True)
    except RuntimeError as error:
        remove_folder(made)
        raise cannot_open(model, error) from error
    source.unlink()
    keep_residuals_exact(made / _DONE)
    publish_folder(made, folder)


def keep_residuals_exact(graph: Path) -> int:
    """Mark the sums of the residual stream to stay float32 among bfloat16.

    Every layer adds its output to the stream, so that rounding there piles up: with
    these sums exact, greedy answers agree with float32 far more often, for about one
    hundredth of the time. Where the machine computes in float32 it changes nothing.

    Returns:
        How many were marked: two a layer.
    """
    tree = ElementTree.parse(graph)  # noqa: S314 (OpenVINO wrote it a moment ago)
    marked = 0
    for layer in tree.iterfind("layers/layer"):
        if layer.get("type") == "Add" and ".add" in layer.get("name", ""):
            note = ElementTree.Element("rt_info")
            ElementTree.SubElement(note, "attribute", name="precise", version="0")
            data = layer.find("data")
            layer.insert(0 if data is None else 1, note)
            marked += 1
    with explained(graph):
        tree.write(graph, encoding="utf-8", xml_declaration=True)
    return marked


def cannot_open(model: ModelFolder, error: RuntimeError) -> ModelLoadError:
    """The error for a graph that OpenVINO refuses."""
    return ModelLoadError(
        f"OpenVINO cannot open it: {last_line(error)}",
        fix="run it with the transformers engine",
        where=str(model.path),
    )


def last_line(error: RuntimeError) -> str:
    """The last line that says something: the first ones name OpenVINO's sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def build(model: ModelFolder, options: EngineOptions) -> OpenVinoEngine:
    """Entry point `openvino`."""
    cache = options.cache or default_cache()
    return OpenVinoEngine(model, cache=cache, precision=options.precision)
