"""What is to be exported and how: the tuned model, the wish, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from groundtune.core.errors import ConfigError, GroundtuneError, ModelLoadError
from groundtune.store.checks import read_object
from groundtune.store.models import MANIFEST, open_model
from groundtune.tune.exports.adapter import trained_on
from groundtune.tune.exports.nodes import require_export_extra

if TYPE_CHECKING:
    from groundtune.store.catalog import ModelKind
    from groundtune.store.models import ModelFolder
    from groundtune.tune.exports.merged import Precision

Target = Literal["merged", "adapter", "onnx", "openvino", "gguf"]

_WITH_INT8 = ("onnx", "openvino", "gguf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person asked for."""

    to: Target
    is_int8: bool
    precision: Precision
    base: str


class Tuned(NamedTuple):
    """A folder that `tune` made, and what it noted there."""

    folder: ModelFolder
    manifest: dict[str, Any]

    @property
    def is_words(self) -> bool:
        """Whether it labels words; a generator does not."""
        return self.manifest.get("pooling") == "words"


def open_tuned(spec: str) -> Tuned:
    """Open a generator or a label model that was tuned here.

    Raises:
        ModelLoadError: It is something else, unsafe, or incomplete.
    """
    place = Path(spec).expanduser()
    manifest = read_object(place / MANIFEST) if (place / MANIFEST).is_file() else {}
    kind = manifest.get("kind")
    if kind not in {"generator", "classifier"} or "base" not in manifest:
        raise ModelLoadError(
            "not a folder that groundtune tune made for texts, words or answers",
            fix="pass the folder of a tuned model",
            where=spec,
        )
    return Tuned(open_model(spec, kind=cast("ModelKind", kind), offline=True), manifest)


def check_wish(tuned: Tuned, wish: Wish, out: Path, *, record: str) -> None:
    """Find what cannot be before time is spent.

    Raises:
        ConfigError: It cannot be exported so, or `out` is no export.
        MissingExtraError: A library of the extra `export` is needed.
    """
    folder = tuned.folder
    if wish.is_int8 and wish.to not in _WITH_INT8:
        raise ConfigError(
            f"{wish.to} keeps the precision of its weights",
            fix=f"use --int8 with {', '.join(_WITH_INT8)}",
            where="int8",
        )
    if wish.precision != "as-trained" and wish.to != "merged":
        raise ConfigError(
            f"{wish.to} takes no precision", fix="use it with merged", where="dtype"
        )
    if wish.to == "gguf" and folder.kind != "generator":
        raise ConfigError(
            "llama.cpp runs no heads for labels, so a label model has no GGUF",
            fix="export it to openvino or onnx",
            where="to",
        )
    if wish.to == "adapter":
        trained_on(folder)
    inside = out.resolve()
    if inside == folder.path or folder.path in inside.parents:
        raise ConfigError(
            "an export cannot lie in the model's own folder",
            fix="name a folder beside it",
            where=str(out),
        )
    is_ours = not out.exists() or (out / record).is_file()
    if not is_ours and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            "it stands there already and is no export",
            fix="name a new folder",
            where=str(out),
        )
    is_onnx = wish.to == "onnx"
    if is_onnx or (wish.to == "openvino" and folder.kind == "classifier"):
        require_export_extra("onnx")
    if is_onnx:
        require_export_extra("onnxruntime")
    if wish.to == "gguf":
        require_export_extra("xllamacpp")


def find_base(tuned: Tuned, wish: Wish) -> ModelFolder:
    """The published model that an adapter was trained on.

    Raises:
        ModelLoadError: It is nowhere to be found.
    """
    recorded = tuned.manifest["base"]
    kind: ModelKind = "generator" if tuned.folder.kind == "generator" else "embedder"
    places = [wish.base] if wish.base else [trained_on(tuned.folder), recorded["name"]]
    for place in places:
        try:
            found = open_model(place, kind=kind, offline=True)
        except GroundtuneError:
            continue
        if found.weights_sha256 == recorded["weights_sha256"]:
            return found
    raise ModelLoadError(
        f"the base {recorded['name']!r} of the adapter is not found, or is another one",
        fix="name its folder with --base",
        where=str(tuned.folder.path),
    )
