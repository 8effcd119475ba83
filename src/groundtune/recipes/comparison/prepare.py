"""Before anything is trained: read, examine, split, freeze.

What comes out is the run folder with its frozen cases; what was removed or is doubtful
stands in it as findings.
"""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune import __version__
from groundtune.augment.prompt import PROMPT_VERSION
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.fingerprint import file_sha256, fingerprint
from groundtune.data.cases import read_cases, write_cases
from groundtune.data.doctor import examine, remove_leaks
from groundtune.data.read import find_documents
from groundtune.data.splits import SplitFractions, Splits, sample_cases, split_cases

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.data.doctor import Finding

FRACTIONS = SplitFractions(train=0.5, dev=0.05, test=0.45)
"""With twenty documents about eight are tested: with fewer, sign flips of whole
documents could never reach significance once all contrasts are corrected for."""

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
        if (self.cases is None) == (self.train is None and self.test is None):
            raise ConfigError(
                "cases are given twice, or not at all",
                fix="give --cases F, or --train F and --test F",
                where="compare",
            )
        if self.cases is None and (self.train is None or self.test is None):
            raise ConfigError(
                "one of --train and --test is missing",
                fix="give both, or --cases F to have one file split",
                where="compare",
            )
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
class Prepared:
    """Frozen cases and what was found in them."""

    splits: Splits
    findings: tuple[Finding, ...]
    regime: str
    """Whether test cases ask about documents that training cases ask about too."""


def prepare(sources: Sources, settings: CompareSettings) -> Prepared:
    """Read and split the cases, and remove training cases that give a test away.

    Raises:
        DataError: A file cannot be read, or a side is empty.
    """
    splits = _read(sources, settings)
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
    regime = "seen facts, new wording" if shared else "unseen documents"
    return Prepared(splits=splits, findings=tuple(findings), regime=regime)


def describe(
    prepared: Prepared,
    sources: Sources,
    settings: CompareSettings,
    *,
    generator: dict[str, Any],
    embedder: dict[str, Any],
) -> dict[str, Any]:
    """Everything that the run is made of, in JSON types and without paths."""
    splits = prepared.splits
    return {
        "task": "qa",
        "settings": asdict(settings),
        "regime": prepared.regime,
        "cases": {
            "fingerprint": splits.fingerprint,
            "train": len(splits.train),
            "dev": len(splits.dev),
            "test": len(splits.test),
            "test_groups": len({case.group or case.source for case in splits.test}),
        },
        "documents": _documents_fingerprint(sources),
        "findings": [asdict(finding) for finding in prepared.findings],
        "generator": generator,
        "embedder": embedder,
        "prompt_version": PROMPT_VERSION,
        "versions": _versions(),
    }


def write_split(splits: Splits, folder: Path) -> None:
    """Freeze the three sides as JSON Lines."""
    for side in ("train", "dev", "test"):
        write_cases(folder / f"{side}.jsonl", getattr(splits, side))


def _read(sources: Sources, settings: CompareSettings) -> Splits:
    if sources.cases is not None:
        cases = read_cases(sources.cases)
        return split_cases(
            cases, seed=settings.seed, fractions=FRACTIONS, limit=settings.limit
        )
    assert sources.train is not None, "checked by Sources"
    assert sources.test is not None, "checked by Sources"
    train = read_cases(sources.train)
    test = tuple(read_cases(sources.test))
    if settings.limit is not None:
        test = sample_cases(test, limit=settings.limit, seed=settings.seed)
    if sources.dev is not None:
        dev = tuple(read_cases(sources.dev))
    else:
        dev = sample_cases(
            train, limit=max(1, min(len(train) // 10, 100)), seed=settings.seed
        )
        held = {case.id for case in dev}
        train = [case for case in train if case.id not in held]
    return Splits(train=tuple(train), dev=dev, test=test)


def _documents_fingerprint(sources: Sources) -> str:
    if sources.kb is not None:
        return fingerprint({"kb": file_sha256(sources.kb / "kb.json")})
    found = find_documents(sources.docs, exclude=sources.case_files)
    return fingerprint([[file.name, file_sha256(file.path)] for file in found.files])


def _versions() -> dict[str, str]:
    found = {"groundtune": __version__, "python": platform.python_version()}
    for name in _RUNTIMES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
