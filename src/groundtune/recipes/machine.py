"""What the machine has, as far as it matters for training and answering."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from groundtune.recipes.models import models
from groundtune.store.download import default_cache

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
    "amx_int8": "AMX INT8",
    "asimd": "NEON",
    "bf16": "BF16",
    "i8mm": "I8MM",
    "sve": "SVE",
}
"""Flag of the kernel to the name that people know."""
_BF16 = frozenset({"AVX-512 BF16", "AMX BF16", "BF16"})
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "tune": ("torch", "transformers", "peft"),
    "logging": ("tensorboard", "mlflow", "trackio"),
    "processes": ("accelerate",),
}
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What `doctor` says without a file."""

    python: str
    system: str
    processor: str
    cores: int
    """That this process may use."""
    memory_gb: float
    """That this process may use; 0 where the system does not say."""
    instructions: tuple[str, ...]
    """Those that engines and training make use of."""
    bf16: bool
    """Whether the processor computes in bf16."""
    gpus: tuple[str, ...]
    extras: dict[str, dict[str, str]]
    """Extra to package to version; an empty version is not installed."""
    cache: str
    disk_free_gb: float
    models: tuple[str, ...]
    """Models by name that are on this machine."""


def describe_machine(*, cache: Path | None = None) -> Machine:
    """Look at the machine; nothing is loaded and nothing is measured."""
    root = cache or default_cache()
    processor, flags = _processor(Path("/proc/cpuinfo"))
    instructions = tuple(name for flag, name in _INSTRUCTIONS.items() if flag in flags)
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=processor or platform.processor(),
        cores=_cores(),
        memory_gb=round(_memory_bytes() / 1e9, 1),
        instructions=instructions,
        bf16=not _BF16.isdisjoint(instructions),
        gpus=_gpus(Path("/proc/driver/nvidia/gpus")),
        extras={
            extra: {package: _version(package) for package in packages}
            for extra, packages in _EXTRAS.items()
        },
        cache=str(root),
        disk_free_gb=round(_free_bytes(root) / 1e9, 1),
        models=tuple(entry.name for entry in models(cache=root) if entry.cached),
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor(path: Path) -> tuple[str, frozenset[str]]:
    """Name and flags; empty where the kernel does not tell."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", frozenset()
    split = [line.partition(":") for line in lines]
    fields = {name.strip(): value.strip() for name, _, value in split}
    flags = fields.get("flags", fields.get("Features", ""))
    return fields.get("model name", ""), frozenset(flags.split())


def _memory_bytes() -> int:
    """The least of what the machine has and what its container allows."""
    found: list[int] = []
    # Not every system has these names, or the function.
    with contextlib.suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in _LIMITS:
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdigit():
            found.append(int(text))
    return min(found, default=0)


def _gpus(folder: Path) -> tuple[str, ...]:
    """Names of NVIDIA devices, as their driver tells them."""
    names: list[str] = []
    for file in sorted(folder.glob("*/information")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        named = [line for line in text.splitlines() if line.startswith("Model:")]
        names += [line.partition(":")[2].strip() for line in named]
    return tuple(names)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _free_bytes(folder: Path) -> int:
    """Free space where a folder is, or will be."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    return shutil.disk_usage(there).free
