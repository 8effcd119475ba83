"""The adapter of a trained model as a folder that peft opens on the base.

A generator's adapter is that folder already. A classifier's head, and the layer that
stands for the mean of a text, are no part of its adapter: here they are put beside it,
where peft keeps whole modules, so that base and folder make the whole model.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError
from groundtune.store.checks import read_object
from groundtune.store.files import write_atomic, write_json
from groundtune.store.weights import SafetensorsFile
from groundtune.tune.encoder.export import ADAPTER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.store.models import ModelFolder

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
"""What peft puts before the names of the model that it wraps."""


def trained_on(model: ModelFolder) -> str:
    """Where the base of an adapter was when it was trained, as peft noted it.

    Raises:
        ConfigError: The model was not trained by an adapter.
    """
    folder = model.path / ADAPTER
    if not (folder / CONFIG).is_file():
        raise ConfigError(
            f"{model.name} was not trained by an adapter, so it has none to export",
            fix="export it to merged, or train it with --strategy lora",
            where="to",
        )
    return str(read_object(folder / CONFIG).get("base_model_name_or_path", ""))


def write_adapter(model: ModelFolder, manifest: Mapping[str, Any], out: Path) -> None:
    """Write the adapter's two files into `out`.

    Args:
        model: As `tune` wrote it, with its adapter.
        manifest: What `tune` noted of it.
        out: A folder that is there.

    Raises:
        StoreError: They cannot be written.
    """
    config = read_object(model.path / ADAPTER / CONFIG)
    # The place where the base was on the training machine means nothing elsewhere.
    config["base_model_name_or_path"] = manifest["base"]["name"]
    source = model.path / ADAPTER / WEIGHTS
    if model.kind == "generator":
        write_atomic(out / WEIGHTS, source.read_bytes())
        write_json(out / CONFIG, config)
        return
    adapter = SafetensorsFile(source)
    pooling = str(manifest["pooling"])
    whole = ["classifier"]
    if pooling != "words":
        whole.append("pooler")
    if pooling == "mean":
        # The layer that gives the mean is the last one, and the base has it not.
        whole.append(f"encoder.layer.{int(model.config['num_hidden_layers']) - 1}")
    tensors: dict[str, npt.NDArray[Any]] = {
        name.replace(_PREFIX, f"{_PREFIX}bert.", 1): adapter.read(name)
        for name in adapter.names()
    }
    merged = SafetensorsFile(model.weights)
    for name in merged.names():
        if any(f"{part}." in name for part in whole):
            tensors[f"{_PREFIX}{name}"] = merged.read(name)
    config["modules_to_save"] = whole
    config["task_type"] = "TOKEN_CLS" if pooling == "words" else "SEQ_CLS"
    config["auto_mapping"] = None
    _save(out / WEIGHTS, tensors)
    write_json(out / CONFIG, config)
    labelled = {**model.config, "_name_or_path": manifest["base"]["name"]}
    write_atomic(out / "config.json", json.dumps(labelled, indent=2) + "\n")


def _save(path: Path, tensors: dict[str, npt.NDArray[Any]]) -> None:
    from safetensors.numpy import save

    write_atomic(path, save(tensors, metadata={"format": "pt"}))
