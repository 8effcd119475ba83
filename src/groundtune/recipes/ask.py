"""The job `ask`: one question, answered from a knowledge base with citations."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.augment.prompt import PROMPT_VERSION, SENTENCES
from groundtune.config.endpoint import is_remote
from groundtune.core.errors import ConfigError, ModelLoadError
from groundtune.core.protocols import silent
from groundtune.core.values import QaCase
from groundtune.recipes.calibration.record import read_record, record_key
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.store.files import read_json
from groundtune.systems.calibrated import CalibratedSystem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Progress, System
    from groundtune.core.values import Answer
    from groundtune.store.models import ModelFolder
    from groundtune.systems.build import SystemSpec

DEFAULT_GENERATOR = "smollm2-135m-instruct"
RULE = "rule"
"""The judge of citations that needs no model."""
_ANSWER_TOKENS = 96


def ask(
    question: str,
    *,
    kb: Path,
    model: str = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    k: int | None = None,
    where: str = "",
    settings: RetrievalSettings | None = None,
    runtime: str = "openvino",
    is_selective: bool = True,
    check: str = "",
    on_text: Callable[[str], None] | None = None,
    progress: Progress = silent,
) -> Answer:
    """Answer a question from a knowledge base.

    Where `calibrate` was run for this knowledge base and this generator, an answer of
    less confidence than its threshold is withheld, and the answer says so. A model that
    was tuned for support replies as `systems.support` describes.

    Args:
        question: In a person's words.
        kb: Folder of the knowledge base.
        model: Generator: catalog name, folder (a tuned one, say), hub id or `URL#NAME`.
        embedder: The embedding model that made the knowledge base.
        k: Passages to read; None: as the settings say.
        where: Which documents may be read, as `retrieve.filter` describes; empty: all.
        settings: How to retrieve; None: as it was chosen for this knowledge base.
        runtime: Engine that runs the generator.
        is_selective: Whether a calibration, if there is one, may withhold answers.
        check: What citations are held against beside span and overlap: a verdict model
            of `tune fact_check`, a generator, or `rule`; empty: nothing.
        on_text: Called with each piece of the answer as it is written.
        progress: Told about models that are fetched.

    Raises:
        ConfigError: The question is empty, `k` below 1, or `where` is no filter.
        StoreError: There is no knowledge base, or another embedder made it.
        ModelLoadError: A model cannot be opened, or was tuned for another prompt.
        DownloadError: A model is not here and cannot be fetched.
        GenerationError: The engine failed.
    """
    if not question.strip():
        raise ConfigError("the question is empty", fix="ask something", where="ask")
    system = open_ask(
        kb=kb,
        model=model,
        embedder=embedder,
        k=k,
        where=where,
        settings=settings,
        runtime=runtime,
        is_selective=is_selective,
        check=check,
        progress=progress,
    )
    case = QaCase(id="ask", question=question, answers=())
    return system.answer(case, on_text=on_text)


def open_ask(
    *,
    kb: Path,
    model: str = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    k: int | None = None,
    where: str = "",
    settings: RetrievalSettings | None = None,
    runtime: str = "openvino",
    is_selective: bool = True,
    check: str = "",
    progress: Progress = silent,
) -> System:
    """Load what `ask` answers with, for many questions: models are opened once.

    Arguments and errors are those of `ask`.
    """
    from groundtune.systems.build import build_system
    from groundtune.systems.support import build_support, is_for_support

    asked = ask_spec(
        kb=kb,
        model=model,
        embedder=embedder,
        k=k,
        where=where,
        settings=settings,
        runtime=runtime,
        progress=progress,
    )
    if is_for_support(asked.spec.model):
        return build_support(asked.spec)
    calibration = read_record(kb, asked.key) if is_selective else None
    system: System = build_system(asked.spec)
    if calibration is not None:
        system = CalibratedSystem(
            system, calibration.confidence, threshold=calibration.threshold
        )
    if not check:
        return system
    from groundtune.recipes.check import open_any_judge
    from groundtune.systems.entailment import CheckedSystem

    model_of_check = None if check == RULE else check
    return CheckedSystem(
        system, open_any_judge(model_of_check, runtime=runtime, progress=progress)
    )


class AskSpec(NamedTuple):
    """How questions to a knowledge base are answered."""

    spec: SystemSpec
    key: str
    """Of its calibration record."""


def ask_spec(
    *,
    kb: Path,
    model: str = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    k: int | None = None,
    where: str = "",
    settings: RetrievalSettings | None = None,
    runtime: str = "openvino",
    progress: Progress = silent,
) -> AskSpec:
    """Describe the system that `ask` answers with; fetches the models that it names.

    Raises:
        ConfigError: `k` is below 1, or `where` is no filter.
        StoreError: There is no knowledge base, or another embedder made it.
        ModelLoadError: A model cannot be opened, or was tuned for another prompt.
        DownloadError: A model is not here and cannot be fetched.
    """
    from groundtune.recipes.optimization.switching import embedder_of
    from groundtune.retrieve.filter import parse_filter
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.settings import read_settings
    from groundtune.store.models import open_model
    from groundtune.systems.build import SystemSpec
    from groundtune.systems.generators import generator_folder, weights_of

    # The cheap checks first: a wrong path or filter should not wait for a model.
    if where.strip():
        parse_filter(where)
    base = KnowledgeBase.open(kb)
    settings = settings or read_settings(kb)
    if k is not None:
        settings = replace(settings, k=k, candidates=max(settings.candidates, k))
    embedder = embedder_of(kb, embedder)
    if not is_remote(embedder):
        open_model(embedder, kind="embedder", progress=progress)
    generator = generator_folder(model, progress=progress)
    learned = learned_style(generator) if generator else None
    spec = SystemSpec(
        name="rag",
        model=model,
        style=learned or asdict(SENTENCES),
        kb=str(kb),
        embedder=embedder,
        retrieval=asdict(settings),
        ranking=learned_ranking(generator, embedder=base.stamp.embedder)
        if generator
        else "",
        where=where,
        runtime=runtime,
        max_tokens=_ANSWER_TOKENS,
    )
    return AskSpec(spec, record_key(spec, weights=weights_of(model, generator)))


def learned_ranking(model: ModelFolder, *, embedder: str) -> str:
    """File of what a tuned model's sentences were ranked by; empty: by nothing learned.

    Empty too for a base of another embedder: it was learned from this one's vectors.

    Raises:
        StoreError: The file is damaged.
    """
    from groundtune.retrieve.query_adapter import learned_with
    from groundtune.systems.trained import LEARNED_RANKING

    file = model.path / LEARNED_RANKING
    if not file.exists() or learned_with(file, fix="tune it again") != embedder:
        return ""
    return str(file)


def learned_style(model: ModelFolder) -> dict[str, Any] | None:
    """The prompt that a tuned model was trained with; None for one as published.

    Raises:
        ModelLoadError: It was trained with a prompt that this version no longer builds.
    """
    manifest = model.path / "groundtune.json"
    record = read_json(manifest) if manifest.exists() else {}
    if "style" not in record:
        return None
    if record.get("prompt_version") != PROMPT_VERSION:
        raise ModelLoadError(
            f"tuned with prompt {record.get('prompt_version')}, this is "
            f"{PROMPT_VERSION}",
            fix="train it again, or use the version of groundtune that made it",
            where=str(model.path),
        )
    return record["style"]
