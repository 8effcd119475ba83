"""What is checked of a model folder before anything in it is loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ModelLoadError

if TYPE_CHECKING:
    from pathlib import Path

_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}


def refuse_unsafe(path: Path) -> None:
    """Refuse a folder with any file that can hold a pickle, wherever it lies in it.

    Raises:
        ModelLoadError: Such a file is there; it was not opened.
    """
    for file in sorted(path.rglob("*")):
        # The weights of an OpenVINO graph are called .bin too, beside its .xml.
        is_graph = file.suffix == ".bin" and file.with_suffix(".xml").is_file()
        if file.suffix.lower() in _PICKLES and not is_graph:
            raise ModelLoadError(
                "this kind of file can run code when it is opened; nothing was loaded",
                fix="convert the weights to safetensors and remove this file",
                where=str(file),
            )


def find_weights(path: Path) -> Path:
    """The one file of a folder that holds its weights.

    Raises:
        ModelLoadError: There is none, or which one is not clear.
    """
    for name in ("model.safetensors", "model.onnx"):
        if (path / name).is_file():
            return path / name
    if (path / "model.safetensors.index.json").is_file():
        raise ModelLoadError(
            "the weights are split over several files",
            fix="save them as one model.safetensors (transformers: max_shard_size)",
            where=str(path),
        )
    ggufs = sorted(path.glob("*.gguf"))
    if len(ggufs) > 1:
        raise ModelLoadError(
            f"{len(ggufs)} GGUF files, and none is chosen",
            fix=f"pass the path of one of them, such as {ggufs[0]}",
            where=str(path),
        )
    if ggufs:
        return ggufs[0]
    raise incomplete(path, "model.safetensors")


def incomplete(path: Path, missing: str) -> ModelLoadError:
    """The error for a folder that lacks a file."""
    return ModelLoadError(
        f"the model folder has no {missing}",
        fix="copy the whole folder from where the model came from",
        where=str(path),
    )


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object that somebody else wrote.

    Raises:
        ModelLoadError: It is missing, or something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise incomplete(path.parent, path.name) from error
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            f"not readable: {error}",
            fix="copy the file again from where the model came from",
            where=str(path),
        ) from error
    if not isinstance(value, dict):
        raise ModelLoadError(
            "not a JSON object",
            fix="copy the file again from where the model came from",
            where=str(path),
        )
    return value
