"""Several processes, one training: who works on what, and how they agree.

Each process ("rank") holds the whole model, the data and the plan, and works on its
share of every step. What a step divides by is the whole step's, so the sum of the
ranks' gradients is the gradient of one process, and every rank then makes the same
optimiser step. Rank 0 measures, writes and reports.

Accelerate finds device and backend (nccl on accelerators, gloo on processors) and
carries the tensors. A training of one process never loads it.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    import torch

_PATIENCE = timedelta(days=2)
"""How long a rank waits for the others. Rank 0 may be measuring for long; one that is
gone is noticed by whoever started the ranks."""
_BUCKET = 8_000_000
"""Gradients that are sent at a time."""
_DENSE, _SPARSE = 1, 2


class Team:
    """The processes that train one model; of one process, unless they have joined.

    Every method but `share` must be called by all ranks, in one order.
    """

    def __init__(self, *, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    @property
    def is_main(self) -> bool:
        """Whether this process measures and writes."""
        return self.rank == 0

    def share(self, numbers: Sequence[int], sizes: Sequence[int]) -> list[int]:
        """What this rank does of a step; about as much as each other rank does.

        Args:
            numbers: Items of the step.
            sizes: Size of every item there is, by number.

        Returns:
            Some of `numbers`, perhaps none; together the ranks have each once.
        """
        if self.size == 1:
            return list(numbers)
        ordered = sorted(numbers, key=lambda number: (-sizes[number], number))
        # There and back: who has the longest of one row has the shortest of the next.
        there = list(range(self.size))
        turns = [*there, *reversed(there)]
        return [
            number
            for place, number in enumerate(ordered)
            if turns[place % len(turns)] == self.rank
        ]

    def add_up(self, weights: Sequence[torch.Tensor], loss: float) -> float:
        """Give every rank the sum of all ranks' gradients; return the sum of losses.

        A weight whose gradient is missing everywhere is left without one.
        """
        if self.size == 1:
            return loss
        import torch

        device = weights[0].device
        kinds = [_kind(weight) for weight in weights]
        known = _reduced(torch.tensor(kinds, device=device), "max")
        dense: list[torch.Tensor] = []
        for weight, kind in zip(weights, known.tolist(), strict=True):
            if kind == _SPARSE:
                self._add_up_rows(weight)
            elif kind == _DENSE:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
                dense.append(weight.grad)
        for bucket in _buckets(dense):
            flat = _reduced(
                torch.cat([gradient.float().flatten() for gradient in bucket]), "sum"
            )
            parts = flat.split([gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
        total = torch.tensor(loss, dtype=torch.float64, device=device)
        return float(_reduced(total, "sum"))

    def spread(self, tensors: Iterable[torch.Tensor]) -> None:
        """Overwrite every rank's tensors with those of rank 0."""
        if self.size == 1:
            return
        for tensor in tensors:
            # Some backends send in place, others hand back a copy.
            tensor.copy_(_broadcast(tensor))

    def of_main(self, value: float | None) -> float | None:
        """What rank 0 gives; the value of other ranks does not count."""
        if self.size == 1:
            return value
        import torch

        told = torch.tensor(
            [value is not None, value or 0.0],
            dtype=torch.float64,
            device=_device(),
        )
        there, found = _broadcast(told).tolist()
        return found if there else None

    def least(self, value: int) -> int:
        """The least of what the ranks give."""
        if self.size == 1:
            return value
        import torch

        return -int(_reduced(torch.tensor(-value, device=_device()), "max"))

    def wait(self) -> None:
        """Go on when every rank is here."""
        self.least(0)

    @contextmanager
    def main_first(self) -> Generator[None]:
        """The block runs on rank 0 alone, then on the others: it finds files there."""
        if not self.is_main:
            self.wait()
        yield
        if self.is_main:
            self.wait()

    def require_alone(self, why: str) -> None:
        """Check that this is the only process.

        Raises:
            ConfigError: It is one of several.
        """
        if self.size > 1:
            raise ConfigError(
                f"this training cannot be shared by {self.size} processes: {why}",
                fix="leave out --processes",
                where="processes",
            )

    def _add_up_rows(self, weight: torch.Tensor) -> None:
        """The same for a gradient of few rows, in an order that is always the same."""
        import torch

        width = weight.shape[1]
        if weight.grad is None:
            rows_R = torch.zeros(0, dtype=torch.long, device=weight.device)
            values_R_D = torch.zeros(0, width, device=weight.device)
        else:
            mine = weight.grad.coalesce()
            rows_R, values_R_D = mine.indices()[0], mine.values()
        counts: list[int] = _gathered(
            torch.tensor([len(rows_R)], device=weight.device)
        ).tolist()
        most = max(counts)
        all_rows = _gathered(rows_R).split(most)
        all_values = _gathered(values_R_D).split(most)
        parts = [
            (rows[:count], values[:count])
            for rows, values, count in zip(all_rows, all_values, counts, strict=True)
        ]
        union_U = torch.cat([rows for rows, _ in parts]).unique()
        summed_U_D = torch.zeros(
            len(union_U), width, dtype=values_R_D.dtype, device=weight.device
        )
        for rows, values in parts:
            # A rank names a row once, so that nothing is added in an order of chance.
            summed_U_D[torch.searchsorted(union_U, rows)] += values
        weight.grad = torch.sparse_coo_tensor(
            union_U[None],
            summed_U_D,
            weight.shape,
            is_coalesced=True,
            check_invariants=False,  # torch asks that one says so
        )


def join(*, rank: int, size: int, meeting: Path) -> None:
    """Become one of several processes on this machine that train together.

    The environment must hold what torchrun gives: LOCAL_RANK and the like.

    Args:
        rank: Number of this process.
        size: How many there are.
        meeting: A file that all of them can write; it does not exist yet.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        ConfigError: There are accelerators, but too few.
    """
    try:
        import torch
        from accelerate import PartialState
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"fine-tuning needs the module {error.name!r}",
            fix='run: pip install "groundtune[tune]"',
        ) from error

    has_accelerator = torch.cuda.is_available()
    if has_accelerator and torch.cuda.device_count() < size:
        raise ConfigError(
            f"{size} processes are asked for, and there are "
            f"{torch.cuda.device_count()} accelerators",
            fix="give each process one: lower --processes",
            where="processes",
        )
    PartialState(
        cpu=not has_accelerator,
        backend="nccl" if has_accelerator else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=size,
        timeout=_PATIENCE,
    )


def team() -> Team:
    """The processes that this one has joined, or this one alone."""
    import torch.distributed as processes

    if not (processes.is_available() and processes.is_initialized()):
        return Team()
    return Team(rank=processes.get_rank(), size=processes.get_world_size())


def _device() -> torch.device:
    from accelerate import PartialState

    found: Any = PartialState().device
    return found


def _reduced(tensor: torch.Tensor, how: str) -> torch.Tensor:
    from accelerate.utils import reduce

    found: Any = reduce(tensor, how)
    return found


def _broadcast(tensor: torch.Tensor) -> torch.Tensor:
    from accelerate.utils import broadcast

    found: Any = broadcast(tensor, from_process=0)
    return found


def _gathered(tensor: torch.Tensor) -> torch.Tensor:
    """The rows of all ranks, each filled up to as many as the longest has."""
    from accelerate.utils import gather, pad_across_processes

    found: Any = gather(pad_across_processes(tensor))
    return found


def _kind(weight: torch.Tensor) -> int:
    if weight.grad is None:
        return 0
    return _SPARSE if weight.grad.is_sparse else _DENSE


def _buckets(gradients: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    bucket: list[torch.Tensor] = []
    size = 0
    for gradient in gradients:
        if bucket and size + gradient.numel() > _BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel()
    if bucket:
        yield bucket
