"""What a tuned model was trained with is what it is served with.

Its folder remembers the hash of its chat template and the version of its prompts. Other
words around a question than the ones it learned make a model worse without a sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.augment.chat import ChatTemplate
from groundtune.core.errors import ModelLoadError
from groundtune.store.files import read_json
from groundtune.store.models import MANIFEST

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder


LEARNED_RANKING = "ranking.safetensors"
"""In the folder of a model that reads sentences: the query adapter that ranked them."""


def manifest_of(model: ModelFolder) -> dict[str, Any]:
    """What stands in the model's manifest; nothing for a model from elsewhere."""
    path = model.path / MANIFEST
    return read_json(path) if path.exists() else {}


def served_template(model: ModelFolder, *, prompt_version: str) -> ChatTemplate:
    """The model's chat template, if it may be asked with it and with these prompts.

    Args:
        model: Any generator; one that groundtune did not tune may be asked in any way.
        prompt_version: Of the prompts that it is going to be asked with.

    Raises:
        ModelLoadError: It was trained with another template, or with other prompts.
    """
    template = ChatTemplate(model.chat_template, where=model.name)
    manifest = manifest_of(model)
    if manifest.get("template_sha256", template.sha256) != template.sha256:
        raise ModelLoadError(
            "its chat template is not the one that it was trained with",
            fix="put the chat template of the training back, or tune again",
            where=str(model.path),
        )
    trained = manifest.get("prompt_version", prompt_version)
    if trained != prompt_version:
        task = manifest.get("task", "another task")
        raise ModelLoadError(
            f"it was trained for {task} with the prompts {trained}, not with "
            f"{prompt_version}",
            fix="use it for its own task, or tune it again with this groundtune",
            where=str(model.path),
        )
    return template
