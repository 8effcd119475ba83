"""Before anything is trained: read, examine, split, freeze.

What comes out is the run folder with its frozen cases; what was removed or is doubtful
stands in it as findings.
"""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from groundtune import __version__
from groundtune.augment.prompt import PROMPT_VERSION
from groundtune.augment.rewriting import by_rules
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import file_sha256, fingerprint
from groundtune.core.values import QaCase
from groundtune.data.cases import read_cases, write_cases
from groundtune.data.dialogues import read_dialogues
from groundtune.data.doctor import examine, remove_leaks
from groundtune.data.read import find_documents
from groundtune.data.splits import SplitFractions, Splits, sample_cases, split_cases
from groundtune.tasks import qa

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.data.doctor import Finding

FRACTIONS = SplitFractions(train=0.5, dev=0.05, test=0.45)
"""With twenty documents about eight are tested: with fewer, sign flips of whole
documents could never reach significance once all contrasts are corrected for."""

_HISTORY_TURNS = 6
"""Turns before the last from which words are taken over."""

_RUNTIMES = ("openvino", "openvino-genai", "lancedb", "numpy", "torch", "transformers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where cases and documents come from, as the person named them."""

    cases: Path | None = None
    train: Path | None = None
    dev: Path | None = None
    test: Path | None = None
    docs: tuple[Path, ...] = ()
    kb: Path | None = None

    def __post_init__(self) -> None:
        if bool(self.docs) == (self.kb is not None):
            raise ConfigError(
                "documents are given twice, or not at all",
                fix="give --docs PATH, or --kb KB",
                where="compare",
            )

    @property
    def case_files(self) -> tuple[Path, ...]:
        """Files of cases, which may lie among the documents and must not be read."""
        named = (self.cases, self.train, self.dev, self.test)
        return tuple(path for path in named if path is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSources:
    """Files of labelled cases, and how they are read."""

    cases: Path | None = None
    train: Path | None = None
    dev: Path | None = None
    test: Path | None = None
    format: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict[str, str])
    accepted: Collection[str] = ()
    """Kinds of errors in the data that are known of and meant."""


def check_cases(
    *, cases: Path | None, train: Path | None, dev: Path | None, test: Path | None
) -> None:
    """Refuse cases that are given twice, in part, or not at all.

    Raises:
        ConfigError: They are.
    """
    named = train is not None or dev is not None or test is not None
    if (cases is not None) == named:
        raise ConfigError(
            "cases are given twice, or not at all",
            fix="give --cases F, or --train F and --test F",
            where="compare",
        )
    if cases is None and (train is None or test is None):
        raise ConfigError(
            "one of --train and --test is missing",
            fix="give both, or --cases F to have one file split",
            where="compare",
        )


SEEN, UNSEEN = "seen facts, new wording", "unseen documents"
"""Regimes of a comparison over documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Frozen cases and what was found in them."""

    splits: Splits
    findings: tuple[Finding, ...]
    regime: str
    """`SEEN` or `UNSEEN`: whether training asks about the documents of test cases."""


def prepare(
    sources: Sources, settings: CompareSettings, *, task: str = qa.NAME
) -> Prepared:
    """Read and split the cases, and remove training cases that give a test away.

    A turn of a dialogue is asked as the question that stands for it alone: with the
    words of the conversation that it leaves out, by rule. All arms are asked the same.

    Raises:
        DataError: A file cannot be read, or a side is empty.
    """
    read = read_cases if task == qa.NAME else read_turns
    splits = _read(sources, settings, read)
    findings = examine(splits.train, splits.dev, splits.test)
    train = tuple(remove_leaks(splits.train, findings))
    splits = Splits(train=train, dev=splits.dev, test=splits.test)
    for side in ("train", "dev", "test"):
        if not getattr(splits, side):
            raise DataError(
                f"no {side} cases are left",
                fix="give more cases, or other files; see the findings above",
                where=str(sources.cases or getattr(sources, side)),
            )
    shared = {case.source or case.group for case in train} & {
        case.source or case.group for case in splits.test
    } - {""}
    regime = SEEN if shared else UNSEEN
    return Prepared(splits=splits, findings=tuple(findings), regime=regime)


def describe(
    prepared: Prepared,
    sources: Sources,
    settings: CompareSettings,
    *,
    generator: dict[str, Any],
    embedder: dict[str, Any],
    task: str = qa.NAME,
) -> dict[str, Any]:
    """Everything that the run is made of, in JSON types and without paths."""
    splits = prepared.splits
    return {
        **settings.registered,
        "task": task,
        "settings": {k: v for k, v in asdict(settings).items() if k != "protocol"},
        "regime": prepared.regime,
        "cases": {
            "fingerprint": splits.fingerprint,
            "train": len(splits.train),
            "dev": len(splits.dev),
            "test": len(splits.test),
            "test_groups": len({case.group or case.source for case in splits.test}),
        },
        "documents": documents_fingerprint(sources),
        "findings": [asdict(finding) for finding in prepared.findings],
        "generator": generator,
        "embedder": embedder,
        "prompt_version": PROMPT_VERSION,
        "versions": versions(),
    }


def write_split(splits: Splits, folder: Path) -> None:
    """Freeze the three sides as JSON Lines."""
    for side in ("train", "dev", "test"):
        write_cases(folder / f"{side}.jsonl", getattr(splits, side))


def read_turns(path: Path) -> list[QaCase]:
    """Dialogues as questions that stand alone.

    Raises:
        DataError: The file holds no dialogues.
    """
    made: list[QaCase] = []
    for case in read_dialogues(path):
        *history, last = case.messages
        said = [turn for turn in history if turn.role != "system"]
        question = by_rules(last.content, said[-_HISTORY_TURNS:]).text
        made.append(
            QaCase(
                id=case.id,
                question=question,
                answers=case.answers,
                source=case.source,
                evidence=case.evidence,
                group=case.group,
            )
        )
    return made


def _read(
    sources: Sources,
    settings: CompareSettings,
    read: Callable[[Path], list[QaCase]],
) -> Splits:
    if sources.cases is not None:
        cases = read(sources.cases)
        return split_cases(
            cases, seed=settings.seed, fractions=FRACTIONS, limit=settings.limit
        )
    assert sources.train is not None, "checked by Sources"
    assert sources.test is not None, "checked by Sources"
    train = read(sources.train)
    test = tuple(read(sources.test))
    if settings.limit is not None:
        test = sample_cases(test, limit=settings.limit, seed=settings.seed)
    if sources.dev is not None:
        dev = tuple(read(sources.dev))
    else:
        dev = sample_cases(
            train, limit=max(1, min(len(train) // 10, 100)), seed=settings.seed
        )
        held = {case.id for case in dev}
        train = [case for case in train if case.id not in held]
    return Splits(train=tuple(train), dev=dev, test=test)


def documents_fingerprint(sources: Sources) -> str:
    """Of the contents of a knowledge base, or of files and their names."""
    if sources.kb is not None:
        return fingerprint({"kb": file_sha256(sources.kb / "kb.json")})
    found = find_documents(sources.docs, exclude=sources.case_files)
    return fingerprint([[file.name, file_sha256(file.path)] for file in found.files])


def versions() -> dict[str, str]:
    """Of this package and of what decides its figures."""
    found = {"groundtune": __version__, "python": platform.python_version()}
    for name in _RUNTIMES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
