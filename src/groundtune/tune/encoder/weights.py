"""The trained weights of an encoder, whose word table is updated by the row.

More than half of a small encoder is its table of words, and a step uses a few hundred
of its 30,000 rows. With dense gradients the optimiser would walk through all of them
at every step, which takes longer than the layers do. So gradients of the table are
sparse, and Adam's moments move where a row was used (lazy Adam): a row that a step did
not use stays as it is, and is not pulled towards 0 either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.tune.loop import CLIP_NORM, TrainedWeights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

    from groundtune.tune.loop import WeightGroup

WORDS = "bert.embeddings.word_embeddings.weight"
"""Name of the word table."""

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class EncoderWeights(TrainedWeights):
    """See `TrainedWeights`; the word table stands beside the others.

    Args:
        groups: All trained weights. The word table is taken out of its group.
        averaging: See `TrainedWeights`. The word table has no mean: most of its rows
            rest at a step, and the others have moved little.
    """

    def __init__(
        self, groups: Iterable[WeightGroup], *, averaging: float = 0.0
    ) -> None:
        import torch

        self._table: torch.Tensor | None = None
        self._table_scale = 1.0
        dense: list[WeightGroup] = []
        for group in groups:
            named = [(name, weight) for name, weight in group.named if name != WORDS]
            for name, weight in group.named:
                if name == WORDS:
                    self._table, self._table_scale = weight, group.rate_scale
            if named:
                dense.append(group._replace(named=named))
        super().__init__(
            dense, betas=_BETAS, fused=True, clips=False, averaging=averaging
        )
        self._dense = [weight for group in dense for _, weight in group.named]
        if self._table is not None:
            self._best_table = self._table.detach().clone()
            self._mean_V_D = torch.zeros_like(self._best_table)
            self._square_V_D = torch.zeros_like(self._best_table)
            # A row's own count: what it has seen decides how far its moments reach.
            self._uses_V = torch.zeros(
                len(self._table), dtype=torch.float32, device=self._table.device
            )

    def trained(self) -> list[torch.Tensor]:
        """The weights that steps leave gradients in."""
        table = [] if self._table is None else [self._table]
        return [*super().trained(), *table]

    def update(self, rate: float) -> None:
        """Use up the gradients, clipped together."""
        self._clip()
        if self._table is not None and self._table.grad is not None:
            self._update_rows(self._table, rate * self._table_scale)
        super().update(rate)

    def keep_best(self) -> None:
        """Remember the weights as they stand."""
        super().keep_best()
        if self._table is not None:
            self._best_table = self._table.detach().clone()

    def use_best(self) -> None:
        """Put the remembered weights into the model."""
        import torch

        super().use_best()
        if self._table is not None:
            with torch.no_grad():
                self._table.copy_(self._best_table)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that `restore` needs, by name."""
        out = super().tensors()
        if self._table is not None:
            out[f"master.{WORDS}"] = self._table.detach()
            out[f"best.{WORDS}"] = self._best_table
            out[f"exp_avg.{WORDS}"] = self._mean_V_D
            out[f"exp_avg_sq.{WORDS}"] = self._square_V_D
            out[f"uses.{WORDS}"] = self._uses_V
        return out

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take up the tensors of a checkpoint."""
        import torch

        super().restore(tensors)
        if self._table is not None:
            with torch.no_grad():
                self._table.copy_(tensors[f"master.{WORDS}"])
                self._best_table.copy_(tensors[f"best.{WORDS}"])
                self._mean_V_D.copy_(tensors[f"exp_avg.{WORDS}"])
                self._square_V_D.copy_(tensors[f"exp_avg_sq.{WORDS}"])
                self._uses_V.copy_(tensors[f"uses.{WORDS}"])

    def _clip(self) -> None:
        """Shorten all gradients together to the longest that is let through."""
        import torch

        gradients = [w.grad for w in self._dense if w.grad is not None]
        if self._table is not None and self._table.grad is not None:
            self._table.grad = self._table.grad.coalesce()
            gradients.append(self._table.grad.values())
        norms = torch.stack([torch.linalg.vector_norm(one) for one in gradients])
        factor = CLIP_NORM / (torch.linalg.vector_norm(norms) + 1e-6)
        if float(factor) < 1.0:
            for gradient in gradients:
                gradient.mul_(factor)

    def _update_rows(self, table: torch.Tensor, rate: float) -> None:
        import torch

        assert table.grad is not None, "the caller looked"
        rows_R = table.grad.indices()[0]
        gradient_R_D = table.grad.values()
        first, second = _BETAS
        with torch.no_grad():
            uses_R_1 = (self._uses_V[rows_R] + 1.0)[:, None]
            mean_R_D = self._mean_V_D[rows_R].lerp_(gradient_R_D, 1.0 - first)
            square_R_D = self._square_V_D[rows_R].lerp_(gradient_R_D**2, 1.0 - second)
            self._uses_V[rows_R] = uses_R_1[:, 0]
            self._mean_V_D[rows_R] = mean_R_D
            self._square_V_D[rows_R] = square_R_D
            size_R_D = (square_R_D / (1.0 - second**uses_R_1)).sqrt_() + _EPSILON
            table[rows_R] -= rate * mean_R_D / (1.0 - first**uses_R_1) / size_R_D
        table.grad = None
