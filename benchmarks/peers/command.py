"""What the benchmarks against peers share: their options, and the lines of a result."""

from __future__ import annotations

import argparse
import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from groundtune.core.errors import GroundtuneError

from .children import OURS
from .environments import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMIT_SECONDS = 3600
"""For one answer of one system."""

Bound = Literal["at least", "above", "at most", "below"]
_BOUNDS: dict[Bound, tuple[Callable[[float, float], bool], Callable[..., str]]] = {
    "at least": (operator.ge, max),
    "above": (operator.gt, max),
    "at most": (operator.le, min),
    "below": (operator.lt, min),
}
"""The comparison, and which peer is the best one where it is wanted."""


def options(description: str | None) -> argparse.ArgumentParser:
    """The options that both benchmarks take."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="SciFact in BEIR's layout")
    parser.add_argument(
        "--peers",
        type=lambda text: [name for name in text.split(",") if name],
        default=list(PEERS),
        help=f"to measure against; default {','.join(PEERS)}",
    )
    parser.add_argument(
        "--envs",
        type=Path,
        help="folder of the peers' environments; default: in groundtune's cache",
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    return parser


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; what a person can mend is shown without a traceback."""
    try:
        main()
    except GroundtuneError as error:
        raise SystemExit(str(error)) from error


def environments_folder(chosen: Path | None) -> Path:
    """Where the environments of the peers are kept."""
    from groundtune.store.download import default_cache

    return chosen or default_cache() / "peers"


def model_folder() -> Path:
    """The embedding model that all systems share, fetched where it is not here yet."""
    from groundtune.store.models import open_model

    return open_model("all-minilm-l6-v2", kind="embedder").path


def target(label: str, values: Mapping[str, float], *, bound: Bound, to: float) -> str:
    """A line that holds our figure against the best peer's.

    Args:
        label: What was measured.
        values: Figure of each system; ours is among them.
        bound: How our figure over the best peer's should stand to `to`.
        to: The ratio to reach.
    """
    peers = {name: value for name, value in values.items() if name != OURS}
    if not peers:
        return f"{label}: no peer was measured"
    meets, best = _BOUNDS[bound]
    name = best(peers, key=peers.__getitem__)
    ratio = values[OURS] / peers[name]
    verdict = "met" if meets(ratio, to) else "missed"
    return f"{label}: {ratio:.2f} of {name}'s, the best peer ({bound} {to}: {verdict})"
