"""The job `summarize`: a document, or all that a knowledge base says of a topic."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from groundtune.config.endpoint import is_remote
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent
from groundtune.data.read import read_document
from groundtune.recipes.ingest import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Progress
    from groundtune.systems.summarizer import Summary


def summarize(
    topic: str = "",
    *,
    kb: Path | None = None,
    file: Path | None = None,
    words: int | None = None,
    model: str = "",
    keeps_unsupported: bool = False,
    embedder: str = DEFAULT_EMBEDDER,
    where: str = "",
    settings: RetrievalSettings | None = None,
    runtime: str = "openvino",
    progress: Progress = silent,
) -> Summary:
    """Sum up a document, or what a knowledge base says of a topic.

    Every sentence of the summary has its source, with exact offsets. Without a model
    the sentences are the documents' own. A model's summary is given where they bear it
    out and it has the length asked for, within 15 % or ten words; else an extract is.

    Args:
        topic: In a person's words; only with `kb`.
        kb: Folder of the knowledge base; or
        file: one document, of any kind that `ingest` reads and of any length.
        words: How long the summary is to be; None: 100, or what a tuned model learned.
        model: Generator: catalog name or folder; empty: none.
        keeps_unsupported: Keep, and mark, what a model wrote and nothing bears out.
        embedder: The embedding model that made the base.
        where: Which documents of the base may be read; empty: all.
        settings: How to retrieve; None: as it was chosen for this base.
        runtime: Engine that runs the generator.
        progress: Told about models that are fetched, and about parts that are read.

    Raises:
        ConfigError: Both or neither of base and file are given, the topic is empty or
            not asked for, or the length is below 1.
        DataError: The file cannot be read.
        StoreError: There is no knowledge base, or another embedder made it.
        ModelLoadError: A model cannot be opened, or was tuned for another task.
        DownloadError: A model is not here and cannot be fetched.
        GenerationError: The engine failed.
    """
    _check(topic, kb=kb, file=file, words=words)
    from groundtune.recipes.optimization.switching import embedder_of
    from groundtune.retrieve.filter import parse_filter
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.settings import read_settings
    from groundtune.store.models import open_model
    from groundtune.systems.generators import generator_folder
    from groundtune.systems.summarizer import SummarizerSpec, build_summarizer

    # The cheap checks first: a wrong path or filter should not wait for a model.
    if where.strip():
        parse_filter(where)
    document = read_document(file, root=file.parent) if file is not None else None
    if kb is not None:
        KnowledgeBase.open(kb)
        settings = settings or read_settings(kb)
        embedder = embedder_of(kb, embedder)
    if not is_remote(embedder):
        open_model(embedder, kind="embedder", progress=progress)
    if model:
        generator_folder(model, progress=progress)
    system = build_summarizer(
        SummarizerSpec(
            name="summarize",
            embedder=embedder,
            model=model,
            kb=str(kb) if kb is not None else "",
            retrieval=asdict(settings) if settings is not None else {},
            where=where,
            words=words,
            keeps_unsupported=keeps_unsupported,
            runtime=runtime,
        )
    )
    progress("reading", 0, None)
    material = system.of_document(document) if document else system.on_topic(topic)
    return system.summarize(material, progress=progress)


def _check(
    topic: str, *, kb: Path | None, file: Path | None, words: int | None
) -> None:
    """Refuse arguments that contradict each other.

    Raises:
        ConfigError: They do.
    """
    problem = fix = ""
    if (kb is None) == (file is None):
        problem = "a file and a knowledge base" if kb else "nothing to sum up"
        fix = "give --file F, or --kb KB and a topic"
    elif kb is not None and not topic.strip():
        problem, fix = "no topic", 'say what about: summarize --kb KB "topic"'
    elif file is not None and topic.strip():
        problem = "a topic, and a file"
        fix = "ingest the file and give the knowledge base, or leave the topic out"
    elif words is not None and words < 1:
        problem, fix = f"words is {words}", "ask for at least 1 word"
    if problem:
        raise ConfigError(problem, fix=fix, where="summarize")
