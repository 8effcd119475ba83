"""A trained encoder with its head becomes a folder that transformers opens as it is.

Adapters are merged, and the temperature is divided out of the classifier, so that the
probabilities of every engine are the calibrated ones. What was written is read back
with transformers and compared with the model in memory before it counts as done.
"""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import StoreError
from groundtune.store.files import explained, write_atomic, write_json
from groundtune.store.folders import publish_folder, remove_folder
from groundtune.store.models import open_model, write_manifest
from groundtune.tune.encoder.evaluate import item_logits
from groundtune.tune.exports.trained import label_logits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from groundtune.store.models import ModelFolder
    from groundtune.tune.encoder.dataset import Item
    from groundtune.tune.encoder.pretrained import LabelModel

ADAPTER = "adapter"
COMPARED = 50
"""Items on which what was written must answer as the model in memory does."""
TOLERANCE = 0.02
"""Largest difference of two logits; the pooling layer costs about a tenth of it."""

_GAIN = 4096.0
"""How much louder than its own state a token hears the mean in the pooling layer."""
_COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)


def write_label_model(
    model: LabelModel,
    base: ModelFolder,
    out: Path,
    *,
    compared: Sequence[Item],
    temperature: float,
    record: Mapping[str, Any],
    files: Mapping[str, str] | None = None,
) -> ModelFolder:
    """Write the model to `out`, whole or not at all.

    Args:
        model: With its best weights.
        base: What it was trained from.
        out: Folder to make; one of an earlier try is replaced.
        compared: Items to compare on; the first few are enough.
        temperature: Logits are divided by it.
        record: What to remember in the manifest.
        files: Texts to put beside the weights, by their path in the folder.

    Raises:
        StoreError: It could not be written, or does not answer as the model does.
    """
    from safetensors.torch import save_file

    made = out.with_name(f".{out.name}.new")
    remove_folder(made)
    with explained(out):
        made.mkdir(parents=True)
        merged = model.bert
        if model.adapter is not None:
            model.adapter.save_pretrained(made / ADAPTER, safe_serialization=True)
            # peft writes a model card with empty fields, which would say nothing true.
            (made / ADAPTER / "README.md").unlink(missing_ok=True)
            merged = copy.deepcopy(model.adapter).merge_and_unload(safe_merge=True)
        tensors = _tensors(merged, model, temperature=temperature)
        save_file(tensors, made / "model.safetensors", metadata={"format": "pt"})
        for file in _COPIED:
            if (base.path / file).exists():
                shutil.copyfile(base.path / file, made / file)
    write_json(made / "config.json", _config(model, base))
    write_manifest(
        made,
        name=out.name,
        kind="classifier",
        licence=base.licence,
        more={
            "base": {"name": base.name, "weights_sha256": base.weights_sha256},
            "labels": list(model.labels),
            "pooling": model.pooling,
            "temperature": temperature,
            **record,
        },
    )
    for file, text in (files or {}).items():
        write_atomic(made / file, text)
    _compare(model, made, list(compared[:COMPARED]), temperature=temperature)
    publish_folder(made, out)
    return open_model(str(out), kind="classifier", offline=True)


def _tensors(
    bert: Any,  # noqa: ANN401 (transformers gives no useful type)
    model: LabelModel,
    *,
    temperature: float,
) -> dict[str, torch.Tensor]:
    """All weights under the names that transformers gives them, in fp32."""
    head = model.head.state_dict()
    found = {f"bert.{name}": value for name, value in bert.state_dict().items()}
    if "dense.weight" in head:
        found["bert.pooler.dense.weight"] = head["dense.weight"]
        found["bert.pooler.dense.bias"] = head["dense.bias"]
    if model.pooling == "mean":
        found |= _pooling_layer(bert, f"bert.encoder.layer.{model.depth}")
    found["classifier.weight"] = head["classifier.weight"] / temperature
    found["classifier.bias"] = head["classifier.bias"] / temperature
    return {
        name: value.detach().float().cpu().clone().contiguous()
        for name, value in found.items()
    }


def _pooling_layer(bert: Any, name: str) -> dict[str, torch.Tensor]:  # noqa: ANN401
    """A layer of the usual kind whose first token comes out as the mean of all.

    BERT's head reads the first token and knows no mean. With queries and keys of zero
    every token attends to all alike, so attention gives the mean; it is made so much
    louder than the token's own state that this vanishes when the norm brings the sum to
    variance 1. The layer's second half adds nothing.
    """
    import torch

    last = bert.encoder.layer[-1].state_dict()
    zeros = {key: torch.zeros_like(value) for key, value in last.items()}
    eye = torch.eye(zeros["attention.self.value.weight"].shape[0])
    zeros["attention.self.value.weight"] = eye
    zeros["attention.output.dense.weight"] = _GAIN * eye
    for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
        zeros[f"{norm}.weight"] = torch.ones_like(zeros[f"{norm}.weight"])
    return {f"{name}.{key}": value for key, value in zeros.items()}


def _config(model: LabelModel, base: ModelFolder) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in base.config.items()
        if key not in {"_name_or_path", "torch_dtype", "dtype", "transformers_version"}
    }
    is_words = model.pooling == "words"
    what = "Token" if is_words else "Sequence"
    config = {
        **kept,
        "architectures": [f"BertFor{what}Classification"],
        "dtype": "float32",
        "num_hidden_layers": model.depth + (model.pooling == "mean"),
        "id2label": {str(i): label for i, label in enumerate(model.labels)},
        "label2id": {label: i for i, label in enumerate(model.labels)},
    }
    if not is_words:
        config["problem_type"] = "single_label_classification"
    return config


def _compare(
    model: LabelModel, made: Path, items: list[Item], *, temperature: float
) -> None:
    """Refuse what does not answer as the model in memory does."""
    import torch

    if not items:
        return
    autocast = torch.autocast(model.device.type, enabled=False)
    ours = np.concatenate(item_logits(model, items, autocast=autocast)) / temperature
    theirs = np.concatenate(label_logits(made, items, is_words=_is_words(model)))
    apart = float(np.abs(ours - theirs).max())
    # Logits grow with certainty, and their noise with them.
    if apart > TOLERANCE * max(1.0, float(np.abs(ours).max())):
        raise StoreError(
            f"what was written differs from the trained model: a logit by {apart:.3g}",
            fix="report this; the training's checkpoint is kept",
            where=str(made),
        )


def _is_words(model: LabelModel) -> bool:
    return model.pooling == "words"
