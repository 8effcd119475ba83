"""GGUF both ways, and against transformers on the published file."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, pre_tokenizers

from groundtune.core.errors import ModelLoadError
from groundtune.store.gguf import read_gguf_generator, write_gguf
from groundtune.store.models import ModelFolder, open_folder, open_model
from groundtune.store.weights import SafetensorsFile

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.gguf import Quantization

HIDDEN, HEADS, KEY_HEADS, LAYERS, INNER = 64, 4, 2, 2, 96
TOKENS = ["<s>", "</s>", "a", "b", "ab", "1", "2", "\u0120"]


def toy_tokenizer() -> dict[str, Any]:
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    digits = {"type": "Digits", "individual_digits": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": i, "content": TOKENS[i], "normalized": False, "special": True}
            | flags
            for i in (0, 1)
        ],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, byte_level]},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(TOKENS)},
            "merges": ["a b"],
        },
    }


def make_folder(
    folder: Path, *, tokenizer: dict[str, Any] | None = None
) -> ModelFolder:
    """A llama model of random weights, as a Hugging Face folder."""
    tokenizer = tokenizer or toy_tokenizer()
    vocabulary = len(tokenizer["model"]["vocab"])
    rng = np.random.default_rng(7)

    def weights(*shape: int) -> np.ndarray[Any, Any]:
        return rng.normal(size=shape).astype(np.float16)

    shapes = {
        "self_attn.q_proj": (HIDDEN, HIDDEN),
        "self_attn.k_proj": (HIDDEN * KEY_HEADS // HEADS, HIDDEN),
        "self_attn.v_proj": (HIDDEN * KEY_HEADS // HEADS, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN),
        "mlp.gate_proj": (INNER, HIDDEN),
        "mlp.up_proj": (INNER, HIDDEN),
        "mlp.down_proj": (HIDDEN, INNER),
        "input_layernorm": (HIDDEN,),
        "post_attention_layernorm": (HIDDEN,),
    }
    tensors = {
        f"model.layers.{layer}.{name}.weight": weights(*shape)
        for layer in range(LAYERS)
        for name, shape in shapes.items()
    }
    tensors["model.embed_tokens.weight"] = weights(vocabulary, HIDDEN)
    tensors["model.norm.weight"] = weights(HIDDEN)
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "vocab_size": vocabulary,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return open_folder(folder, kind="generator")


@pytest.mark.parametrize(("quantization", "error"), [("f16", 0.0), ("q8_0", 0.02)])
def test_a_folder_survives_the_way_to_gguf_and_back(
    tmp_path: Path, quantization: Quantization, error: float
) -> None:
    model = make_folder(tmp_path / "model")

    write_gguf(model, tmp_path / "m.gguf", quantization=quantization)
    read_gguf_generator(tmp_path / "m.gguf", tmp_path / "back")
    back = open_folder(tmp_path / "back", kind="generator")

    before, after = load_file(model.weights), load_file(back.weights)
    assert before.keys() == after.keys()
    for name, values in before.items():
        assert np.abs(values - after[name]).max() <= error, name
    same = model.config.keys() & back.config.keys()
    assert {k: back.config[k] for k in same} == {k: model.config[k] for k in same}
    assert back.config["tie_word_embeddings"] is True
    assert back.chat_template == model.chat_template
    text = "ab 12 <s>ba"
    assert back.tokenizer().encode(text) == model.tokenizer().encode(text)


def test_query_rows_are_interleaved_as_gguf_wants_them(tmp_path: Path) -> None:
    model = make_folder(tmp_path / "model")
    write_gguf(model, tmp_path / "m.gguf")

    written = {t.name: t for t in GGUFReader(tmp_path / "m.gguf").tensors}
    query = written["blk.0.attn_q.weight"]
    rows = dequantize(query.data, query.tensor_type)
    ours = SafetensorsFile(model.weights).read("model.layers.0.self_attn.q_proj.weight")

    half = HIDDEN // HEADS // 2
    assert (rows[0] == ours[0]).all()
    assert (rows[1] == ours[half]).all()
    assert (rows[2] == ours[1]).all()


def test_bfloat16_weights_are_read(tmp_path: Path) -> None:
    values = np.array([[1.5, -2.0], [0.0, 3.140625]], dtype=np.float32)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    header = {"w": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}
    raw = json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + halves.tobytes())

    assert (SafetensorsFile(path).read("w") == values).all()
    with pytest.raises(ModelLoadError, match="absent is missing"):
        SafetensorsFile(path).read("absent")


def test_a_model_of_another_family_is_not_written(tmp_path: Path) -> None:
    model = make_folder(tmp_path / "model")
    config = {**model.config, "model_type": "gpt_neox"}
    (model.path / "config.json").write_text(json.dumps(config))

    with pytest.raises(ModelLoadError, match="gpt_neox"):
        write_gguf(open_folder(model.path, kind="generator"), tmp_path / "m.gguf")

    assert not (tmp_path / "m.gguf").exists()


@pytest.mark.parametrize(
    ("architecture", "tokens", "match"),
    [("bert", "gpt2", "'bert'"), ("llama", "llama", "tokenizer.ggml.model is 'llama'")],
)
def test_a_gguf_of_another_family_is_refused(
    tmp_path: Path, architecture: str, tokens: str, match: str
) -> None:
    path = tmp_path / "m.gguf"
    writer = GGUFWriter(path, architecture)
    writer.add_tokenizer_model(tokens)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with pytest.raises(ModelLoadError, match=match):
        read_gguf_generator(path, tmp_path / "out")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("raw", [b"", b"GGUF", b"not one at all, but long enough"])
def test_a_broken_gguf_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(raw)

    with pytest.raises(ModelLoadError, match="not a GGUF file"):
        read_gguf_generator(path, tmp_path / "out")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF with the published tokenizer's first 3,000 tokens; all would be slow."""
    full = open_model("smollm2-135m-instruct", kind="generator")
    tokenizer = json.loads((full.path / "tokenizer.json").read_text(encoding="utf-8"))
    model = tokenizer["model"]
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < 3000}
    model["merges"] = [
        pair for pair in model["merges"] if "".join(pair) in model["vocab"]
    ]
    folder = tmp_path_factory.mktemp("gguf")
    write_gguf(make_folder(folder / "hf", tokenizer=tokenizer), folder / "model.gguf")
    return folder / "model.gguf"


@pytest.fixture(scope="module")
def ours(small: Path) -> ModelFolder:
    read_gguf_generator(small, small.parent / "back")
    return open_folder(small.parent / "back", kind="generator")


@pytest.fixture(scope="module")
def reference(small: Path) -> Any:
    """The tokenizer that transformers makes of a GGUF."""
    transformers = importlib.import_module("transformers")
    return transformers.AutoTokenizer.from_pretrained(
        small.parent, gguf_file=small.name
    )


TEXTS = [
    "The quick brown fox's 2024 jump, didn't it?",
    "na\u00efve caf\u00e9 \u4f60\u597d \U0001f98a \u0645\u0631\u062d\u0628\u0627",
    "def f(x: int) -> int:\n\treturn x**2  # squared\n\n",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    "  leading, trailing   \n\n\n",
    "3.14159 and 1,000,000",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_tokenizer_is_the_one_that_transformers_makes(
    ours: ModelFolder, reference: Any, text: str
) -> None:
    tokenizer = ours.tokenizer()

    ids = tokenizer.encode(text)

    assert ids == reference(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.spell(ids) == text
    assert len(tokenizer.offsets(text)) == len(ids)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60) | st.text(alphabet="ab 12\n'", max_size=30))
def test_the_tokenizer_is_the_same_on_any_text(
    ours: ModelFolder, with_digits: Tokenizer, text: str
) -> None:
    ids = ours.tokenizer().encode(text)

    assert ids == with_digits.encode(text, add_special_tokens=False).ids


@pytest.fixture(scope="module")
def with_digits(reference: Any) -> Tokenizer:
    """The reference with the rule that each digit stands alone.

    transformers leaves it out, though the GGUF names it (`smollm`) and the model was
    trained with it; it shows where two spaces stand before a digit.
    """
    other = Tokenizer.from_str(reference.backend_tokenizer.to_str())
    other.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return other


def test_transformers_reads_the_same_weights(ours: ModelFolder, small: Path) -> None:
    torch = importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        small.parent, gguf_file=small.name, dtype=torch.float32
    ).state_dict()
    mine = SafetensorsFile(ours.weights)

    assert set(mine.names()) == set(theirs) - {"lm_head.weight"}
    for name in mine.names():
        assert np.array_equal(mine.read(name), theirs[name].numpy()), name


def test_dequantised_4_bit_blocks_are_right(tmp_path: Path) -> None:
    """The published file is Q4_1: a block is 32 times `scale * nibble + least`."""
    rng = np.random.default_rng(3)
    scale, least = np.float16(0.25), np.float16(-1.5)
    nibbles = rng.integers(0, 16, size=32, dtype=np.uint8)
    packed = nibbles[:16] | (nibbles[16:] << 4)
    block = np.concatenate(
        [np.array([scale, least]).view(np.uint8), packed.astype(np.uint8)]
    )

    values = dequantize(block[None, :], GGMLQuantizationType.Q4_1)

    assert np.array_equal(values[0], nibbles * 0.25 - 1.5)
