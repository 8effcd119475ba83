"""The job `check`: one claim, held against a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.store.models import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.systems.fact_checker import Checked, Judge


def check(
    claim: str,
    *,
    kb: Path,
    model: str | None = None,
    embedder: str = DEFAULT_EMBEDDER,
    k: int | None = None,
    where: str = "",
    runtime: str = "openvino",
    progress: Progress = silent,
) -> Checked:
    """Say whether the documents of a knowledge base support or refute a claim.

    Args:
        claim: A statement, in a sentence.
        kb: Folder of the knowledge base.
        model: A verdict model (a folder of `tune fact_check`), or a generator that is
            asked with the evidence, by name or folder. None: a rule on wording, which
            needs no model and says that it is one.
        embedder: The embedding model that made the knowledge base.
        k: Passages to retrieve; None: enough for several documents.
        where: Which documents may be read, as `retrieve.filter` describes; empty: all.
        runtime: Engine that runs a generator.
        progress: Told about models that are fetched.

    Raises:
        ConfigError: The claim is empty, `k` below 1, or `where` is no filter.
        StoreError: There is no knowledge base, or another embedder made it.
        ModelLoadError: A model cannot be opened, or is neither of the two kinds.
        GenerationError: The generator failed.
    """
    from groundtune.recipes.checking.reading import open_finder
    from groundtune.systems.fact_checker import FactChecker

    if not claim.strip():
        raise ConfigError("the claim is empty", fix="state something", where="check")
    if k is not None and k < 1:
        raise ConfigError(f"k is {k}", fix="use at least 1 passage", where="check -k")
    finder = open_finder(kb, embedder=embedder, k=k, where=where, progress=progress)
    judge = open_any_judge(model, runtime=runtime, progress=progress)
    return FactChecker("check", finder, judge).check(" ".join(claim.split()))


def open_any_judge(
    model: str | None, *, runtime: str = "openvino", progress: Progress = silent
) -> Judge:
    """The judge that a name stands for; see `check`.

    Raises:
        ModelLoadError: It cannot be opened.
        DownloadError: It is not here and cannot be fetched.
    """
    from pathlib import Path

    from groundtune.store.checks import read_object
    from groundtune.systems.generators import generator_folder
    from groundtune.systems.judges import RuleJudge, open_engine_judge
    from groundtune.systems.verdict_models import is_weighed, open_verdict_model

    if model is None:
        return RuleJudge()
    folder = Path(model)
    manifest = folder / MANIFEST
    is_encoder = (
        manifest.is_file() and read_object(manifest).get("kind") == "classifier"
    )
    if is_weighed(folder) or is_encoder:
        return open_verdict_model(folder)
    generator_folder(model, progress=progress)
    return open_engine_judge(model, runtime=runtime)
