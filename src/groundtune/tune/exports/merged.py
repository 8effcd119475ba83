"""The whole model in the layout that transformers opens, in a precision of choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from groundtune.store.checks import read_object
from groundtune.store.files import explained, write_atomic, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder

Precision = Literal["as-trained", "float32", "float16", "bfloat16"]


def write_merged(model: ModelFolder, out: Path, *, precision: Precision) -> None:
    """Write weights and config into `out`.

    Args:
        model: As `tune` wrote it.
        out: A folder that is there.
        precision: Of the weights; "as-trained" copies them to the bit.

    Raises:
        StoreError: They cannot be written.
    """
    config = read_object(model.path / "config.json")
    if precision == "as-trained":
        write_atomic(out / "model.safetensors", model.weights.read_bytes())
    else:
        import torch
        from safetensors.torch import load_file, save_file

        kind = getattr(torch, precision)
        tensors = {
            name: value.to(kind) if value.is_floating_point() else value
            for name, value in load_file(model.weights).items()
        }
        with explained(out):
            save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
        config["dtype"] = precision
    write_json(out / "config.json", config)
