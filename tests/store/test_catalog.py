from __future__ import annotations

import re

import pytest

from groundtune.core.errors import ModelLoadError
from groundtune.store.catalog import (
    CATALOG,
    DEFAULT_EMBEDDER,
    DEFAULT_GENERATOR,
    CatalogEntry,
    catalog_entry,
)


@pytest.mark.parametrize("entry", CATALOG.values(), ids=list(CATALOG))
def test_every_entry_is_pinned_and_licensed(entry: CatalogEntry) -> None:
    for sha in (entry.wheel_sha256, entry.weights_sha256):
        assert re.fullmatch(r"[0-9a-f]{64}", sha)
    assert entry.licence == "Apache-2.0"
    assert entry.wheel_bytes > 1_000_000
    assert entry.weights.endswith((".safetensors", ".gguf", ".onnx"))
    assert not entry.borrows or CATALOG[entry.borrows].kind == entry.kind


def test_the_defaults_are_of_their_kind() -> None:
    assert catalog_entry(DEFAULT_EMBEDDER).kind == "embedder"
    assert catalog_entry(DEFAULT_GENERATOR).kind == "generator"


def test_a_near_miss_names_what_was_meant() -> None:
    with pytest.raises(ModelLoadError, match=r"did you mean 'smollm2-135m-instruct'\?"):
        catalog_entry("smollm2-135m")
