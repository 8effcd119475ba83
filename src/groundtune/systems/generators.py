"""A generator by name, on this machine or behind an endpoint, ready to be prompted.

What it needs to be asked comes along: its template, and a tokenizer that measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundtune.config.endpoint import is_remote
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.generate.batches import open_batch_engine
from groundtune.generate.engines import open_engine
from groundtune.store.models import open_model
from groundtune.systems.trained import served_template

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.augment.chat import ChatTemplate
    from groundtune.core.protocols import Engine, Progress
    from groundtune.generate.batches import BatchEngine
    from groundtune.store.models import ModelFolder


class Generator(NamedTuple):
    """An engine and the template of its prompts."""

    engine: Engine
    template: ChatTemplate


class BatchGenerator(NamedTuple):
    """The same for many prompts at once."""

    engine: BatchEngine
    template: ChatTemplate


def open_batch_generator(
    spec: str,
    *,
    prompt_version: str,
    runtime: str = "openvino",
    cache: Path | None = None,
) -> BatchGenerator:
    """Open a generator for many prompts: at an endpoint they are asked side by side.

    Arguments and errors are those of `open_generator`.
    """
    if is_remote(spec):
        from groundtune.generate.side_by_side import SideBySide
        from groundtune.store.remote.settings import open_remote_model

        engine, template = _open_remote(
            spec, prompt_version=prompt_version, cache=cache
        )
        at_once = open_remote_model(spec).settings.concurrency
        return BatchGenerator(SideBySide(engine, at_once=at_once), template)
    model = open_model(spec, kind="generator", cache=cache, offline=True)
    template = served_template(model, prompt_version=prompt_version)
    return BatchGenerator(open_batch_engine(model, runtime=runtime), template)


def open_generator(
    spec: str,
    *,
    prompt_version: str,
    runtime: str = "openvino",
    cache: Path | None = None,
) -> Generator:
    """Open a generator. Nothing is fetched, and no endpoint is asked yet.

    Args:
        spec: A folder, a catalog name, a hub id, or `URL#NAME`.
        prompt_version: Of the prompts that it is going to be asked with.
        runtime: Engine that runs a model on this machine.
        cache: Model cache; None: the person's own.

    Raises:
        GroundtuneError: It cannot be opened, or not be asked in this way.
    """
    if is_remote(spec):
        return _open_remote(spec, prompt_version=prompt_version, cache=cache)
    model = open_model(spec, kind="generator", cache=cache, offline=True)
    template = served_template(model, prompt_version=prompt_version)
    return Generator(open_engine(model, runtime=runtime), template)


def _open_remote(spec: str, *, prompt_version: str, cache: Path | None) -> Generator:
    # Loaded here: a local model is not to wait for an HTTP library.
    from groundtune.generate.openai import open_completions_endpoint
    from groundtune.generate.remote import open_chat_endpoint, usual_turns
    from groundtune.store.remote.settings import open_remote_model

    remote = open_remote_model(spec)
    folder = generator_folder(spec, cache=cache, offline=True)
    if folder is None:
        return Generator(open_chat_endpoint(remote), usual_turns())
    template = served_template(folder, prompt_version=prompt_version)
    if remote.settings.route == "completions":
        return Generator(open_completions_endpoint(remote, folder), template)
    return Generator(open_chat_endpoint(remote, folder=folder), usual_turns())


def generator_folder(
    spec: str,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
    offline: bool = False,
) -> ModelFolder | None:
    """The folder of a generator, fetched if it must be; None where it is elsewhere.

    For a model behind an endpoint it is the folder that stands for it on this machine,
    where settings name one.

    Raises:
        ConfigError: The name or a setting of an endpoint is wrong.
        ModelLoadError: The model cannot be opened.
        DownloadError: It is not here and cannot be fetched.
    """
    if is_remote(spec):
        from groundtune.store.remote.settings import open_remote_model

        spec = open_remote_model(spec).settings.tokenizer
        if not spec:
            return None
    return open_model(
        spec, kind="generator", cache=cache, progress=progress, offline=offline
    )


def weights_of(spec: str, folder: ModelFolder | None) -> str:
    """What tells the weights of a generator from others: a hash, or name and place."""
    if not is_remote(spec):
        assert folder is not None, "a model on this machine has a folder"
        return folder.weights_sha256
    from groundtune.store.remote.settings import open_remote_model

    return fingerprint(open_remote_model(spec).identity())
