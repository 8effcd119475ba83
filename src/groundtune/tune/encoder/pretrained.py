"""Step 1: open a BERT-like encoder and put a head for labels on it.

For one label a text the head reads a pooled state: the mean over the tokens where the
base is an embedder that pools so, else the first token, as BERT was published. For
words it reads the state of each word's first token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from groundtune.core.errors import ModelLoadError
from groundtune.store.checks import read_object
from groundtune.tune.pretrained import load_encoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from groundtune.store.models import ModelFolder

Pooling = Literal["mean", "first", "words"]

_DENSE_GAIN = 0.5
"""Of the first dense layer over a mean: states have variance 1, and tanh of half of
them is nearly a straight line."""
_HEAD_SPREAD = 0.02


@dataclass(slots=True)
class LabelModel:
    """An encoder and its head, with the encoder's layers within reach."""

    bert: Any
    """transformers' BertModel without its pooler; adapters stand inside it."""
    head: Any
    """ModuleDict: `classifier`, and `dense` where a text has one label."""
    pooling: Pooling
    labels: tuple[str, ...]
    adapter: Any = None
    """peft's wrapper around `bert`, where there is one."""

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.bert.encoder.layer)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head["classifier"].weight.device

    def named_weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Every weight, frozen ones too, by a name that says where it stands."""
        for name, weight in self.bert.named_parameters():
            yield f"bert.{name}", weight
        for name, weight in self.head.named_parameters():
            yield f"head.{name}", weight

    def to(self, device: torch.device) -> LabelModel:
        """Move it."""
        self.bert.to(device)
        self.head.to(device)
        return self

    def training_mode(self, *, first: int, embeddings: bool) -> None:
        """Dropout in the head and in layers from `first` up, and nowhere below."""
        self.bert.eval()
        self.bert.embeddings.train(embeddings)
        for layer in self.bert.encoder.layer[first:]:
            layer.train()
        self.head.train()

    def serving_mode(self) -> None:
        """No dropout anywhere."""
        self.bert.eval()
        self.head.eval()

    def embed(self, ids_B_T: torch.Tensor) -> torch.Tensor:
        """States before the first layer, `(B, T, D)`."""
        return self.bert.embeddings(input_ids=ids_B_T)

    def through(
        self,
        states_B_T_D: torch.Tensor,
        mask_B_T: torch.Tensor,
        *,
        first: int,
        end: int,
    ) -> torch.Tensor:
        """States after the layers `[first, end)`."""
        import torch

        from groundtune.tune.encoder.layers import is_plain, through_layers

        layers = self.bert.encoder.layer[first:end]
        if is_plain(layers):
            is_half = torch.is_autocast_enabled("cpu")
            dtype = torch.get_autocast_dtype("cpu") if is_half else torch.float32
            return through_layers(states_B_T_D, mask_B_T, layers, dtype=dtype)
        mask = None
        if not bool(mask_B_T.all()):
            mask = torch.zeros(mask_B_T.shape, device=states_B_T_D.device)
            lowest = torch.finfo(torch.float32).min / 2
            mask = mask.masked_fill_(mask_B_T == 0, lowest)[:, None, None, :]
        for layer in layers:
            states_B_T_D = layer(states_B_T_D, mask)
        return states_B_T_D

    def pooled(
        self, states_B_T_D: torch.Tensor, mask_B_T: torch.Tensor
    ) -> torch.Tensor:
        """What the head's first layer reads, one row a text, in fp32.

        A mean is brought to mean 0 and variance 1 over its features: the same as unit
        length for comparing, and what a layer of the usual kind can compute.
        """
        import torch

        if self.pooling == "first":
            return states_B_T_D[:, 0].float()
        weight = mask_B_T[..., None].float()
        mean_B_D = (states_B_T_D.float() * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.layer_norm(mean_B_D, mean_B_D.shape[-1:])

    def features(self, pooled_B_D: torch.Tensor) -> torch.Tensor:
        """What the classifier reads, before dropout."""
        import torch

        return torch.tanh(self.head["dense"](pooled_B_D))

    def logits(
        self,
        states_B_T_D: torch.Tensor,
        mask_B_T: torch.Tensor,
        *,
        rows_S: torch.Tensor,
        places_S: torch.Tensor,
    ) -> torch.Tensor:
        """Logits of each supervised place, `(S, L)`, in fp32."""
        import torch

        with torch.autocast(states_B_T_D.device.type, enabled=False):
            if self.pooling == "words":
                read = states_B_T_D[rows_S, places_S].float()
            else:
                read = self.features(self.pooled(states_B_T_D, mask_B_T))
            return self.head["classifier"](self.head["dropout"](read))


def open_label_model(
    base: ModelFolder,
    labels: tuple[str, ...],
    *,
    is_words: bool,
    dropout: float,
    seed: int,
) -> LabelModel:
    """Open a base and give it a head whose first weights come from the seed.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        ModelLoadError: It is no BERT-like encoder with safetensors.
    """
    kind = base.config.get("model_type")
    if kind != "bert":
        raise ModelLoadError(
            f"model_type is {kind!r}, and heads for labels are put on 'bert'",
            fix="use a BERT-like encoder, such as all-minilm-l6-v2",
            where=str(base.path / "config.json"),
        )
    bert = load_encoder(base)
    import torch

    width = int(base.config["hidden_size"])
    pooling: Pooling = "words" if is_words else _pooling(base)
    generator = torch.Generator().manual_seed(seed)
    head: Any = torch.nn.ModuleDict({"dropout": torch.nn.Dropout(dropout)})
    with torch.no_grad():
        if pooling != "words":
            dense = torch.nn.Linear(width, width)
            if pooling == "mean":
                dense.weight.copy_(_DENSE_GAIN * torch.eye(width))
                dense.bias.zero_()
            elif bert.pooler is not None:
                dense.load_state_dict(bert.pooler.dense.state_dict())
            else:
                dense.weight.normal_(0.0, _HEAD_SPREAD, generator=generator)
                dense.bias.zero_()
            head["dense"] = dense
        classifier = torch.nn.Linear(width, len(labels))
        classifier.weight.normal_(0.0, _HEAD_SPREAD, generator=generator)
        classifier.bias.zero_()
        head["classifier"] = classifier
    bert.pooler = None
    for module in bert.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    for layer in bert.encoder.layer:
        # With dropout inside attention its fast kernel could not be used.
        layer.attention.self.dropout.p = 0.0
    return LabelModel(bert=bert, head=head, pooling=pooling, labels=labels)


def _pooling(base: ModelFolder) -> Pooling:
    file = base.path / "1_Pooling" / "config.json"
    if not file.is_file():
        return "first"
    modes = {
        key.removeprefix("pooling_mode_")
        for key, value in read_object(file).items()
        if key.startswith("pooling_mode_") and value is True
    }
    return "first" if modes == {"cls_token"} else "mean"
