"""GGUF files of the llama family, to and from a Hugging Face model folder.

numpy only: the base install has no torch. GGUF interleaves the two halves of each
query and key head; `_interleave` and `_separate` are that change and its undoing.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from groundtune.core.errors import ModelLoadError
from groundtune.store.files import explained, sync_file
from groundtune.store.weights import SafetensorsFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    from gguf import GGUFReader, GGUFWriter

    from groundtune.store.models import ModelFolder

    Floats = npt.NDArray[np.float32]

Quantization = Literal["f16", "q8_0"]

_CONTROL, _USER_DEFINED = 3, 4
"""Token types: those never made from plain text, and those added by hand."""
_NORMAL = 1

_LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
"""Names inside one layer: GGUF's, then the Hugging Face one."""


def read_gguf_generator(path: Path, folder: Path) -> None:
    """Write `folder` in Hugging Face layout from the GGUF file `path`.

    Weights are dequantised and stored as float16 in model.safetensors.

    Raises:
        ModelLoadError: The file is no GGUF, or of a family that we do not read.
        StoreError: The folder cannot be written.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ModelLoadError(
            f"not a GGUF file: {error}",
            fix="copy it again from where it came from",
            where=str(path),
        ) from error
    fields = {name: field.contents() for name, field in reader.fields.items()}
    _require(fields, "general.architecture", {"llama"}, path=path)
    _require(fields, "tokenizer.ggml.model", {"gpt2"}, path=path)
    _require(fields, "tokenizer.ggml.pre", {"smollm", "gpt-2"}, path=path)

    tensors = _read_tensors(reader, fields)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tied = "lm_head.weight" not in tensors
    _write(folder / "config.json", _config(fields, tied=tied))
    _write(folder / "generation_config.json", _token_ids(fields))
    _write(folder / "tokenizer.json", _tokenizer(fields), indent=None)
    _write(folder / "tokenizer_config.json", _tokenizer_config(fields))
    template = fields.get("tokenizer.chat_template", "")
    with explained(folder):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    _save(folder / "model.safetensors", tensors)


def write_gguf(
    model: ModelFolder, path: Path, *, quantization: Quantization = "f16"
) -> None:
    """Write a llama-family model folder as one GGUF file.

    Norms stay float32; matrices become float16, or 8-bit blocks of 32.

    Raises:
        ModelLoadError: The folder is not of the llama family.
        StoreError: The file cannot be written.
    """
    from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, quantize

    config = model.config
    family = config.get("model_type")
    if family != "llama" or config.get("attention_bias") or config.get("mlp_bias"):
        raise ModelLoadError(
            f"a model of type {family!r} cannot be written as GGUF",
            fix="use a llama-family model, or run it with the transformers engine",
            where=str(model.path),
        )
    tensors = SafetensorsFile(model.weights)
    kind = GGMLQuantizationType[quantization.upper()]
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = GGUFWriter(path, "llama")
    _write_fields(writer, model)
    is_f16 = quantization == "f16"
    # OpenVINO GenAI reads the file type to choose its graph, and fails without it.
    writer.add_file_type(
        LlamaFileType.MOSTLY_F16 if is_f16 else LlamaFileType.MOSTLY_Q8_0
    )
    writer.add_quantization_version(2)
    heads = {
        "attn_q": config["num_attention_heads"],
        "attn_k": config.get("num_key_value_heads", config["num_attention_heads"]),
    }
    for ours, theirs in _names(config["num_hidden_layers"]).items():
        if theirs not in tensors:
            continue
        values = tensors.read(theirs)
        part = ours.rsplit(".", 2)[-2]
        if part in heads:
            values = _interleave(values, heads[part])
        if values.ndim == 1:
            writer.add_tensor(ours, values)
        # 8-bit blocks are of 32 values within a row; other rows stay float16.
        elif is_f16 or values.shape[-1] % 32:
            writer.add_tensor(ours, values.astype(np.float16))
        else:
            writer.add_tensor(ours, quantize(values, kind), raw_dtype=kind)
    try:
        with explained(path):
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
    finally:
        with suppress(OSError):
            writer.close()
    with explained(path):
        sync_file(path)


def _require(
    fields: Mapping[str, Any], name: str, known: set[str], *, path: Path
) -> None:
    found = fields.get(name)
    if found not in known:
        raise ModelLoadError(
            f"{name} is {found!r}, which groundtune does not read "
            f"(known: {', '.join(sorted(known))})",
            fix="pass the model's Hugging Face folder with safetensors instead",
            where=str(path),
        )


def _names(layers: int) -> dict[str, str]:
    """GGUF tensor name to Hugging Face name, for the whole model."""
    names = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    for number in range(layers):
        for ours, theirs in _LAYER.items():
            names[f"blk.{number}.{ours}.weight"] = (
                f"model.layers.{number}.{theirs}.weight"
            )
    return names


def _interleave(values: Floats, heads: int) -> Floats:
    """Hugging Face to GGUF: row i of each half beside row i of the other half."""
    rows, columns = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows, columns)


def _separate(values: Floats, heads: int) -> Floats:
    """GGUF to Hugging Face: the inverse of `_interleave`."""
    rows, columns = values.shape
    pairs = values.reshape(heads, rows // heads // 2, 2, columns)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(rows, columns)


def _read_tensors(
    reader: GGUFReader, fields: Mapping[str, Any]
) -> dict[str, npt.NDArray[np.float16]]:
    from gguf import dequantize

    heads = {
        "attn_q": fields["llama.attention.head_count"],
        "attn_k": fields["llama.attention.head_count_kv"],
    }
    names = _names(fields["llama.block_count"])
    tensors: dict[str, npt.NDArray[np.float16]] = {}
    for tensor in reader.tensors:
        if tensor.name not in names:
            continue
        values = dequantize(tensor.data, tensor.tensor_type)
        # GGUF lists the fastest axis first.
        values = values.reshape([int(n) for n in reversed(tensor.shape)])
        part = tensor.name.rsplit(".", 2)[-2]
        if part in heads:
            values = _separate(values, heads[part])
        tensors[names[tensor.name]] = values.astype(np.float16)
    return tensors


def _save(path: Path, tensors: Mapping[str, npt.NDArray[np.float16]]) -> None:
    from safetensors.numpy import save_file

    with explained(path):
        # transformers refuses a file that does not name its framework.
        save_file(dict(tensors), path, metadata={"format": "pt"})
        sync_file(path)


def _write(path: Path, value: object, *, indent: int | None = 2) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    with explained(path):
        path.write_text(text + "\n", encoding="utf-8")


def _token_ids(fields: Mapping[str, Any]) -> dict[str, int]:
    known = {
        "bos_token_id": "tokenizer.ggml.bos_token_id",
        "eos_token_id": "tokenizer.ggml.eos_token_id",
        "pad_token_id": "tokenizer.ggml.padding_token_id",
    }
    return {ours: fields[key] for ours, key in known.items() if key in fields}


def _config(fields: Mapping[str, Any], *, tied: bool) -> dict[str, Any]:
    heads = fields["llama.attention.head_count"]
    width = fields["llama.embedding_length"]
    theta = _short(fields["llama.rope.freq_base"])
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        **_token_ids(fields),
        "dtype": "float16",
        "head_dim": fields.get("llama.rope.dimension_count", width // heads),
        "hidden_act": "silu",
        "hidden_size": width,
        "initializer_range": 0.02,
        "intermediate_size": fields["llama.feed_forward_length"],
        "max_position_embeddings": fields["llama.context_length"],
        "mlp_bias": False,
        "num_attention_heads": heads,
        "num_hidden_layers": fields["llama.block_count"],
        "num_key_value_heads": fields.get("llama.attention.head_count_kv", heads),
        "rms_norm_eps": _short(fields["llama.attention.layer_norm_rms_epsilon"]),
        "rope_parameters": {"rope_theta": theta, "rope_type": "default"},
        "rope_theta": theta,
        "tie_word_embeddings": tied,
        "use_cache": True,
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
    }


def _short(value: float) -> float:
    """The shortest decimal that means the same float32: 1e-05, not 9.99999975e-06."""
    return float(str(np.float32(value)))


def _tokenizer(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A tokenizer.json: byte-level BPE, with digits on their own for SmolLM."""
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    kinds: list[int] = fields["tokenizer.ggml.token_type"]
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    before: dict[str, Any] = byte_level
    if fields["tokenizer.ggml.pre"] == "smollm":
        digits = {"type": "Digits", "individual_digits": True}
        before = {"type": "Sequence", "pretokenizers": [digits, byte_level]}
    added = [
        {
            "id": number,
            "content": tokens[number],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": kind == _CONTROL,
        }
        for number, kind in enumerate(kinds)
        if kind in {_CONTROL, _USER_DEFINED}
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": before,
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [m.split(" ") for m in fields["tokenizer.ggml.merges"]],
        },
    }


def _tokenizer_config(fields: Mapping[str, Any]) -> dict[str, Any]:
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    roles = {
        "bos_token": "tokenizer.ggml.bos_token_id",
        "eos_token": "tokenizer.ggml.eos_token_id",
        "pad_token": "tokenizer.ggml.padding_token_id",
        "unk_token": "tokenizer.ggml.unknown_token_id",
    }
    named = {role: tokens[fields[key]] for role, key in roles.items() if key in fields}
    return {
        **named,
        "model_max_length": fields["llama.context_length"],
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _write_fields(writer: GGUFWriter, model: ModelFolder) -> None:
    """Shape, tokens and template, as llama.cpp and OpenVINO GenAI read them."""
    config = model.config
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10_000.0))
    writer.add_type("model")
    writer.add_name(model.name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads", heads))
    writer.add_rope_freq_base(theta)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(
        config.get("head_dim") or config["hidden_size"] // heads
    )

    raw = json.loads((model.path / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = [""] * config["vocab_size"]
    kinds = [_NORMAL] * config["vocab_size"]
    for token, number in raw["model"]["vocab"].items():
        tokens[number] = token
    for token in raw["added_tokens"]:
        tokens[token["id"]] = token["content"]
        kinds[token["id"]] = _CONTROL if token["special"] else _USER_DEFINED
    pairs = [m if isinstance(m, str) else " ".join(m) for m in raw["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    splits_digits = '"Digits"' in json.dumps(raw["pre_tokenizer"])
    writer.add_tokenizer_pre("smollm" if splits_digits else "gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(pairs)
    roles: dict[str, Callable[[int], None]] = {
        "bos_token_id": writer.add_bos_token_id,
        "eos_token_id": writer.add_eos_token_id,
        "pad_token_id": writer.add_pad_token_id,
    }
    for role, add in roles.items():
        number = config.get(role)
        if isinstance(number, int):
            add(number)
    writer.add_add_bos_token(False)  # noqa: FBT003 (the library's signature)
    if model.chat_template:
        writer.add_chat_template(model.chat_template)
