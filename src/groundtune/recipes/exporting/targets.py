"""What is written for each target, and which files of the model go with it."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from groundtune.core.fingerprint import file_sha256
from groundtune.generate.graph_export import write_generator_graph
from groundtune.store.files import explained, write_json
from groundtune.store.gguf import write_gguf
from groundtune.store.models import MANIFEST
from groundtune.tune.exports.adapter import write_adapter
from groundtune.tune.exports.decoder_graph import write_decoder
from groundtune.tune.exports.encoder_graph import write_encoder
from groundtune.tune.exports.merged import write_merged

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.recipes.exporting.request import Tuned, Wish

ONNX = "model.onnx"
LABEL_GRAPH = "openvino_model.xml"
_CARD = "README.md"
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "chat_template.jinja",
)
_CONFIG = ("config.json", "generation_config.json")
_BESIDE = {
    "merged": (*_TOKENIZER, "generation_config.json", _CARD),
    "adapter": (*_TOKENIZER, _CARD),
    "onnx": (*_TOKENIZER, *_CONFIG, _CARD),
    "openvino": (*_TOKENIZER, *_CONFIG, _CARD),
    # A GGUF holds its own tokenizer, template and settings.
    "gguf": (_CARD,),
}


def write_target(tuned: Tuned, wish: Wish, made: Path) -> None:
    """Write the export into `made`.

    Raises:
        ModelLoadError: A model of this make cannot be written so.
        StoreError: It cannot be written.
    """
    folder, manifest = tuned.folder, tuned.manifest
    for file in _BESIDE[wish.to]:
        if (folder.path / file).is_file():
            with explained(made / file):
                shutil.copyfile(folder.path / file, made / file)
    is_generator = folder.kind == "generator"
    quantization = "q8_0" if wish.is_int8 else "f16"
    if wish.to == "merged":
        write_merged(folder, made, precision=wish.precision)
        sha = file_sha256(made / folder.weights.name)
        write_json(made / MANIFEST, {**manifest, "weights_sha256": sha})
    elif wish.to == "adapter":
        write_adapter(folder, manifest, made)
    elif wish.to == "gguf":
        write_gguf(folder, gguf_file(tuned, wish, made), quantization=quantization)
    elif is_generator and wish.to == "onnx":
        write_decoder(folder, made / ONNX, is_int8=wish.is_int8)
    elif is_generator:
        write_generator_graph(folder, made, quantization=quantization)
    else:
        pooling = str(manifest["pooling"])
        write_encoder(folder, made / ONNX, pooling=pooling, is_int8=wish.is_int8)
        if wish.to == "openvino":
            _translate(made / ONNX, made / LABEL_GRAPH)


def gguf_file(tuned: Tuned, wish: Wish, made: Path) -> Path:
    """The file of a GGUF, named as people name them."""
    name = re.sub(r"[^\w.-]+", "-", tuned.folder.name)
    return made / f"{name}-{'Q8_0' if wish.is_int8 else 'F16'}.gguf"


def _translate(onnx: Path, graph: Path) -> None:
    """OpenVINO's own form of an ONNX file, which goes."""
    import openvino as ov

    with explained(graph):
        ov.save_model(ov.Core().read_model(onnx), graph, compress_to_fp16=False)
        onnx.unlink()
