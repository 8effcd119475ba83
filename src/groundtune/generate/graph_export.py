"""A generator as a folder that OpenVINO GenAI opens: graph, tokenizer, detokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openvino_genai

from groundtune.core.errors import ModelLoadError
from groundtune.generate.openvino import keep_residuals_exact
from groundtune.store.files import explained
from groundtune.store.gguf import write_gguf

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.gguf import Quantization
    from groundtune.store.models import ModelFolder

GRAPH = "openvino_model.xml"


def write_generator_graph(
    model: ModelFolder, folder: Path, *, quantization: Quantization
) -> None:
    """Write the graph of a generator with its tokenizer into `folder`.

    OpenVINO makes it of a GGUF, as for the engine; with "q8_0" its weights are of 8
    bits in blocks of 32.

    Raises:
        ModelLoadError: OpenVINO cannot make a graph of it.
        StoreError: It cannot be written.
    """
    source = folder / "model.gguf"
    write_gguf(model, source, quantization=quantization)
    try:
        openvino_genai.LLMPipeline(source, "CPU", enable_save_ov_model=True)
    except RuntimeError as error:
        raise ModelLoadError(
            f"OpenVINO makes no graph of it: {error}",
            fix="export it to gguf, onnx or merged",
            where=str(model.path),
        ) from error
    finally:
        with explained(source):
            source.unlink(missing_ok=True)
    keep_residuals_exact(folder / GRAPH)
