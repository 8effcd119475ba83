"""The default models, opened from the cache or fetched: the project's own set-up."""

from __future__ import annotations

import pytest

from groundtune.store.catalog import DEFAULT_EMBEDDER, DEFAULT_GENERATOR
from groundtune.store.models import ModelFolder, open_model


@pytest.fixture(scope="session")
def generator_model() -> ModelFolder:
    return open_model(DEFAULT_GENERATOR, kind="generator")


@pytest.fixture(scope="session")
def embedder_model() -> ModelFolder:
    return open_model(DEFAULT_EMBEDDER, kind="embedder")
