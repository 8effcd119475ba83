"""A trained adapter becomes a model folder that every engine opens.

The adapter is merged into fp32 copies of the published weights and stored as float16,
the precision of every model folder, so tuned and published weights are served alike.
The adapter itself is kept beside them in peft's own format.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from groundtune.store.files import explained, write_atomic
from groundtune.store.folders import publish_folder, remove_folder
from groundtune.store.models import open_model, write_manifest
from groundtune.tune.pretrained import load, peft_quietly

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundtune.store.models import ModelFolder

_ADAPTER = "adapter"
_COPIED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def write_model(
    model: Any,  # noqa: ANN401 (peft gives no useful type)
    base: ModelFolder,
    out: Path,
    *,
    name: str,
    record: Mapping[str, object],
    files: Mapping[str, str | bytes] | None = None,
) -> ModelFolder:
    """Write adapter and merged weights to `out`; whole or not at all.

    Args:
        model: The peft model, with its best weights.
        base: What it was trained from.
        out: Folder to make; an unfinished one of an earlier try is replaced.
        name: Short name of the new model.
        record: What to remember in its manifest: task, prompt version, scores.
        files: What else to put beside the weights, by its path in the folder.

    Raises:
        StoreError: It could not be written.
    """
    import torch
    from peft import PeftModel
    from safetensors.torch import save_file

    made = out.with_name(f".{out.name}.new")
    remove_folder(made)
    with explained(out):
        made.mkdir(parents=True)
        model.save_pretrained(made / _ADAPTER, safe_serialization=True)
        # peft writes a model card with empty fields, which would say nothing true.
        (made / _ADAPTER / "README.md").unlink(missing_ok=True)
        published = load(base, dtype=torch.float32)
        with peft_quietly():
            opened = PeftModel.from_pretrained(published, str(made / _ADAPTER))
        merged = opened.merge_and_unload(safe_merge=True)
        tied = set(getattr(merged, "all_tied_weights_keys", None) or ())
        tensors = {
            key: value.to(torch.float16).contiguous()
            for key, value in merged.state_dict().items()
            if key not in tied
        }
        save_file(tensors, made / "model.safetensors", metadata={"format": "pt"})
        for file in _COPIED:
            if (base.path / file).exists():
                shutil.copyfile(base.path / file, made / file)
        write_manifest(
            made,
            name=name,
            kind="generator",
            licence=base.licence,
            more={
                "base": {"name": base.name, "weights_sha256": base.weights_sha256},
                **record,
            },
        )
        for file, content in (files or {}).items():
            write_atomic(made / file, content)
    publish_folder(made, out)
    return open_model(str(out), kind="generator", offline=True)
