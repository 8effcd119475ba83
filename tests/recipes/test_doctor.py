"""The doctor on whole files: what it is for, what it finds, and the clean data sets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from groundtune.core.errors import DataError
from groundtune.recipes.doctor import doctor
from groundtune.recipes.machine import describe_machine

if TYPE_CHECKING:
    from pathlib import Path

LABELLED = [
    {"text": f"{word} is what I think of it", "label": ("good", "bad")[n % 2]}
    for n, word in enumerate(("this", "that", "such", "nothing", "all", "half"))
]
TAGGED = [{"tokens": ["Ada", "ran"], "tags": ["B-PER", "O"]}]
PAIRS = [{"source": "one", "target": "eins"}]
CHATS = [
    {
        "messages": [
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": "On its way."},
        ]
    }
]
QUESTIONS = [{"question": "Who ran?", "answers": ["Ada"]}]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("rows", "task"),
    [
        (LABELLED, "classification"),
        (TAGGED, "ner"),
        (PAIRS, "translation"),
        (CHATS, "support"),
        (QUESTIONS, "qa"),
    ],
)
def test_the_task_is_seen_from_the_file(
    rows: list[dict[str, Any]], task: str, tmp_path: Path
) -> None:
    found = doctor(write(tmp_path / "train.jsonl", rows))

    assert (found.task, found.rows) == (task, len(rows))
    assert found.count("error") == 0


def test_a_file_for_two_tasks_or_none_is_refused(tmp_path: Path) -> None:
    both = [{"question": "Who ran?", "answer": "Ada"}]
    with pytest.raises(DataError, match="support or qa"):
        doctor(write(tmp_path / "a.jsonl", both))
    with pytest.raises(DataError, match="no task"):
        doctor(write(tmp_path / "b.jsonl", [{"x": 1}]))
    with pytest.raises(DataError, match="no such file"):
        doctor(tmp_path / "c.jsonl")
    languages = [{"translation": {"en": "one", "de": "eins"}}]
    with pytest.raises(DataError, match="source=en, target=de; or source=de"):
        doctor(write(tmp_path / "d.jsonl", languages))


def test_every_bad_row_is_told_and_the_others_are_examined(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        *LABELLED,
        {"text": "", "label": "good"},
        {"text": "no label"},
        {"text": None, "label": "bad"},
        {"text": "cafÃ© is bad", "label": "bad"},
    ]
    path = write(tmp_path / "train.jsonl", rows)

    told = doctor(path, task="sentiment").to_json()

    found = {one["kind"]: one for one in told["findings"]}
    assert told["rows"] == 7
    assert [spot["where"] for spot in found["empty_text"]["spots"]] == [
        f"{path}:7",
        f"{path}:9",
    ]
    assert found["missing_field"]["spots"][0]["column"] == "label"
    assert found["mojibake"]["spots"][0]["where"] == f"{path}:10"
    severities = [one["severity"] for one in told["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert told["errors"] == 2


def test_questions_that_leak_are_named(tmp_path: Path) -> None:
    train = write(tmp_path / "a.jsonl", [*QUESTIONS, {"question": "?", "answers": []}])
    test = write(tmp_path / "b.jsonl", QUESTIONS)

    found = {one.kind: one for one in doctor(train, test=test, task="qa").findings}

    assert found["exact_overlap"].severity == "error"
    assert found["exact_overlap"].spots[0].where == f"{train}:1"
    assert found["bad_case"].spots[0].where == f"{train}:2"


def test_the_machine_is_described_without_loading_anything(tmp_path: Path) -> None:
    machine = describe_machine(cache=tmp_path / "not" / "there")

    assert machine.cores >= 1
    assert machine.disk_free_gb > 0
    assert machine.extras["tune"].keys() == {"torch", "transformers", "peft"}
    assert machine.models == ()


TEMPLATE = (
    "{% for m in messages %}{% if loop.index0 % 2 != (m.role == 'assistant') %}"
    "{{ raise_exception('take turns') }}{% endif %}"
    "<s> {{ m.content }} </s> {% endfor %}<s>"
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A generator of 40 tokens that never has to generate."""
    folder = tmp_path / "base"
    folder.mkdir()
    words = {"<unk>": 0, "<s>": 1, "</s>": 2, "Where": 3, "?": 4}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": 40,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    save_file({"w": np.zeros(1, np.float32)}, folder / "model.safetensors")
    return folder


def test_a_base_measures_the_rows_and_tries_its_template(
    base: Path, tmp_path: Path
) -> None:
    long = [
        {"role": "user", "content": "so it is"},
        {"role": "assistant", "content": "no " * 30},
    ]
    twice = [
        {"role": "user", "content": "one"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "ok"},
    ]
    rows = [*CHATS, {"messages": long}, {"messages": twice}]
    path = write(tmp_path / "train.jsonl", rows)

    found = {one.kind: one for one in doctor(path, base=str(base)).findings}

    assert [spot.where for spot in found["cut_answer"].spots] == [f"{path}:2"]
    assert [spot.where for spot in found["template_refuses"].spots] == [f"{path}:3"]
    assert "take turns" in found["template_refuses"].spots[0].detail
    assert "tokens in the middle" in found["lengths"].message


def faults(path: Path, test: Path | None = None, **options: Any) -> dict[str, str]:
    """Kinds and messages that are more than notes."""
    found = doctor(path, test=test, **options)
    return {f.kind: f.message for f in found.findings if f.severity != "note"}


def test_of_trec_the_known_leak_is_reported_and_nothing_else(shared_data: Path) -> None:
    trec = shared_data / "trec6"

    found = faults(
        trec / "TREC.train.all", trec / "TREC.test.all", task="classification"
    )

    assert found == {"test_in_train": "11 of 500 test texts also stand in train"}


@pytest.mark.slow
def test_of_banking_the_known_leak_is_told_as_a_fact(shared_data: Path) -> None:
    banking = shared_data / "banking77"

    found = doctor(banking / "train.csv", test=banking / "test.csv")

    leak = next(one for one in found.findings if one.kind == "test_in_train")
    assert leak.message == "7 of 3080 test texts also stand in train"
    assert leak.severity == "note"
    assert found.count("error") == found.count("warning") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "test", "task"),
    [
        ("sst2/stsa.binary.train", "sst2/stsa.binary.test", "sentiment"),
        ("wnut17/wnut17train.conll", "wnut17/emerging.test.annotated", None),
        ("multi30k/train.en.gz", "multi30k/test_2016_flickr.en.gz", None),
        ("multi30k/train.de.gz", "multi30k/test_2016_flickr.de.gz", None),
        ("bitext_customer_support", None, "support"),
        ("scifact/claims_train.jsonl", "scifact/claims_dev.jsonl", None),
        ("squad/v1.1.json", None, None),
        ("squad/v2.0.json", None, None),
    ],
)
def test_clean_data_sets_have_no_faults(
    shared_data: Path, train: str, test: str | None, task: str | None
) -> None:
    path = shared_data / train
    if path.is_dir():
        path = next(path.glob("*.csv"))

    found = faults(path, shared_data / test if test else None, task=task)

    assert found == {}
