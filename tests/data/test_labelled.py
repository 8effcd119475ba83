"""Labelled files of every format and layout to cases, with roles inferred."""

from __future__ import annotations

import gzip
import json
import pickle
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.errors import DataError
from groundtune.core.values import (
    EntityCase,
    LabelCase,
    Message,
    SupportCase,
    TranslationCase,
)
from groundtune.data.examination.examine import examine_labelled
from groundtune.data.labelled import TASKS, LabelledData, read_labelled
from groundtune.data.rows import RowError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXTS = ("Where is my card?", "It never came, sadly", "Thanks a lot, all good")
LABELS = ("card_arrival", "card arrival", "Praise")
ROWS: list[dict[str, Any]] = [
    {"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)
]


def put(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    return put(path, "".join(json.dumps(row) + "\n" for row in rows))


def jsonl(path: Path) -> None:
    lines(path, ROWS)


def array(path: Path) -> None:
    put(path, json.dumps(ROWS, indent=1))


def wrapped(path: Path) -> None:
    put(path, json.dumps({"data": ROWS}))


def comma(path: Path) -> None:
    cells = (f'"{row["text"]}",{row["label"]}' for row in ROWS)
    put(path, "\ufefftext,label\r\n" + "\r\n".join(cells) + "\r\n")


def semicolon(path: Path) -> None:
    cells = (f"{row['label']};{row['text']}" for row in ROWS)
    put(path, "label;text\n" + "\n".join(cells) + "\n")


def tab(path: Path) -> None:
    cells = (f"{row['text']}\t{row['label']}" for row in ROWS)
    put(path, "text\tlabel\n" + "\n".join(cells) + "\n")


def packed(path: Path) -> None:
    raw = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    path.write_bytes(gzip.compress(raw))


def parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def with_classes(path: Path) -> None:
    """A Parquet file of a data set, whose labels are numbers with names."""
    rows = [{"text": row["text"], "label": n} for n, row in enumerate(ROWS)]
    features = {"label": {"names": list(LABELS), "_type": "ClassLabel"}}
    table = pa.Table.from_pylist(rows).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pq.write_table(table, path)


def saved(path: Path) -> None:
    """What `save_to_disk` leaves."""
    path.mkdir()
    rows = [{"text": row["text"], "label": n} for n, row in enumerate(ROWS)]
    table = pa.Table.from_pylist(rows)
    with (
        pa.OSFile(str(path / "data-00000-of-00001.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    put(path / "state.json", json.dumps(state))
    features = {"label": {"names": list(LABELS), "_type": "ClassLabel"}}
    put(path / "dataset_info.json", json.dumps({"features": features}))


@pytest.mark.parametrize(
    "write",
    [
        jsonl,
        array,
        wrapped,
        comma,
        semicolon,
        tab,
        packed,
        parquet,
        with_classes,
        saved,
    ],
)
def test_every_format_gives_the_same_cases(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    path = tmp_path / "train.dat"
    write(path)

    data = read_labelled(path, task="classification")

    cases = [case for case in data.cases if isinstance(case, LabelCase)]
    assert [(case.text, case.label) for case in cases] == list(
        zip(TEXTS, LABELS, strict=True)
    )
    assert data.roles == {"text": "text", "label": "label"}
    assert len(set(data.places)) == len({case.id for case in cases}) == 3


def test_places_name_the_line(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'text,label\n"two\nlines",x\n\nlast,y\n')

    data = read_labelled(path, task="classification")

    assert data.places == (f"{path}:2", f"{path}:5")
    assert data.format == "csv"


def test_lines_of_label_and_text_in_an_old_encoding(tmp_path: Path) -> None:
    rows = ["DESC:def What is caf\u00e9 ?", "HUM:ind Who was S\u00f8ren ?"] * 6
    path = put(tmp_path / "train.all", "\n".join(rows), encoding="latin-1")

    data = read_labelled(path, task="classification")
    coarse = read_labelled(path, task="classification", roles={"label": "coarse"})

    assert (data.format, data.encoding) == ("label-lines", "latin-1")
    assert data.cases[0] == LabelCase(
        id=data.cases[0].id, text="What is café ?", label="DESC:def"
    )
    assert {c.label for c in coarse.cases if isinstance(c, LabelCase)} == {
        "DESC",
        "HUM",
    }


def test_fasttext_marks_are_not_part_of_the_label(tmp_path: Path) -> None:
    path = put(tmp_path / "train.ft", "__label__a so it is\n__label__b it is not\n")

    data = read_labelled(path, task="sentiment")

    assert [c.label for c in data.cases if isinstance(c, LabelCase)] == ["a", "b"]


def test_windows_quotes_and_a_mixture_of_encodings(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nit\x92s so,x\nno,y\n")
    assert read_labelled(path, task="classification").encoding == "cp1252"

    path.write_bytes("text,label\ncafé,x\n".encode() + b"caf\xe9,y\n")
    with pytest.raises(DataError) as raised:
        read_labelled(path, task="classification")
    assert raised.value.where == f"{path}:3"

    path.write_bytes(b"text,label\na,x\nb\0,y\n")
    with pytest.raises(DataError) as raised:
        read_labelled(path, task="classification")
    assert raised.value.where == f"{path}:3"


def test_columns_of_tokens_and_tags(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O O\n\n# a comment\nAda NNP B-PER\nruns VBZ O\n\nIn IN O\n"
    path = put(tmp_path / "train.conll", text)

    data = read_labelled(path, task="ner")

    assert data.format == "conll"
    assert [(c.tokens, c.tags) for c in data.cases if isinstance(c, EntityCase)] == [
        (("Ada", "runs"), ("B-PER", "O")),
        (("In",), ("O",)),
    ]
    assert data.places == (f"{path}:4", f"{path}:7")


def test_a_hash_tag_is_a_token_and_no_comment(tmp_path: Path) -> None:
    path = put(tmp_path / "train.conll", "#yes\tO\n#\tO\nAda\tB-PER\n")

    case = read_labelled(path, task="ner").cases[0]

    assert isinstance(case, EntityCase)
    assert case.tokens == ("#yes", "#", "Ada")


def test_entities_as_spans_of_characters(tmp_path: Path) -> None:
    row = {
        "text": " Ada Byron ran.",
        "entities": [{"start": 1, "end": 10, "label": "PER"}],
    }
    case = read_labelled(lines(tmp_path / "a.jsonl", [row]), task="ner").cases[0]

    assert isinstance(case, EntityCase)
    assert case.tokens == ("Ada", "Byron", "ran", ".")
    assert case.tags == ("B-PER", "I-PER", "O", "O")

    row["entities"] = [{"start": 1, "end": 8, "label": "PER"}]
    with pytest.raises(RowError, match="whole words") as raised:
        read_labelled(lines(tmp_path / "a.jsonl", [row]), task="ner")
    assert (raised.value.kind, raised.value.column) == ("bad_span", "entities")


CHAT = [
    Message("system", "Be kind."),
    Message("user", "Where?"),
    Message("assistant", "There."),
]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"messages": [{"role": r, "content": c} for r, c in CHAT]},
            CHAT,
        ),
        (
            {
                "conversations": [
                    {"from": "human", "value": "Where?"},
                    {"from": "gpt", "value": "There."},
                ],
                "system": "Be kind.",
            },
            CHAT,
        ),
        (
            {"instruction": "Say where", "input": "the ship is", "output": "There."},
            [Message("user", "Say where\n\nthe ship is"), CHAT[2]],
        ),
        (
            {"prompt": "Where?", "completion": "There.", "history": [["Hi", "Hello"]]},
            [Message("user", "Hi"), Message("assistant", "Hello"), *CHAT[1:]],
        ),
        (
            {
                "messages": json.dumps(
                    [
                        {"role": "user", "content": "Where?"},
                        {
                            "role": "assistant",
                            "content": [{"type": "text", "text": "There."}],
                        },
                    ]
                )
            },
            CHAT[1:],
        ),
    ],
)
def test_conversations_of_every_layout(
    tmp_path: Path, row: dict[str, Any], expected: list[Message]
) -> None:
    path = lines(tmp_path / "a.jsonl", [row])

    case = read_labelled(path, task="support").cases[0]

    assert isinstance(case, SupportCase)
    assert list(case.messages) == expected


def test_aligned_lines_take_the_named_file_as_the_source(tmp_path: Path) -> None:
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    (tmp_path / "train.de.gz").write_bytes(gzip.compress(b"eins\nzwei\n"))
    put(tmp_path / "other.de", "nichts\n")

    english = read_labelled(tmp_path / "train.en.gz", task="translation")
    german = read_labelled(tmp_path / "train.de.gz", task="translation")

    assert english.roles == {"source": "en", "target": "de"}
    assert english.cases[1] == TranslationCase(
        id=english.cases[1].id, source="two", target="zwei"
    )
    assert german.roles == {"source": "de", "target": "en"}
    with pytest.raises(DataError, match="2 ways: source=de, target=en; or source=en"):
        read_labelled(tmp_path / "train", task="translation")
    said = read_labelled(tmp_path / "train", task="translation", roles={"source": "de"})
    assert said.roles == {"source": "de", "target": "en"}


def test_translations_in_one_object(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"translation": {"en": "one", "de": "eins"}}])

    with pytest.raises(DataError, match="2 ways: source=en, target=de; or source=de"):
        read_labelled(path, task="translation")
    data = read_labelled(path, task="translation", roles={"target": "en"})
    assert data.roles == {"source": "de", "target": "en"}


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        (("Sentence", "Category"), {"text": "Sentence", "label": "Category"}),
        (("intent", "label", "text"), {"text": "text", "label": "label"}),
        (("label", "label_text", "text"), {"text": "text", "label": "label"}),
        (("a", "b"), {"text": "a", "label": "b"}),
    ],
)
def test_roles_come_from_names_and_else_from_content(
    tmp_path: Path, columns: tuple[str, ...], roles: dict[str, str]
) -> None:
    rows = [
        {
            name: f"this is text number {n} of them"
            if name in {"Sentence", "text", "a"}
            else f"class {n % 2}"
            for name in columns
        }
        for n in range(20)
    ]

    data = read_labelled(lines(tmp_path / "a.jsonl", rows), task="classification")

    assert data.roles == roles


def test_of_two_columns_with_the_same_classes_the_names_are_taken(
    tmp_path: Path,
) -> None:
    rows = [
        {"text": f"text number {n}", "class": n % 2, "category": ("no", "yes")[n % 2]}
        for n in range(20)
    ]

    data = read_labelled(lines(tmp_path / "a.jsonl", rows), task="classification")

    assert data.roles["label"] == "category"


def test_a_file_that_fits_two_readings_is_refused_with_both(tmp_path: Path) -> None:
    rows = [
        {"text": f"text number {n}", "intent": f"i{n % 2}", "category": f"c{n % 3}"}
        for n in range(20)
    ]
    path = lines(tmp_path / "a.jsonl", rows)

    with pytest.raises(DataError, match="label=intent; or label=category") as raised:
        read_labelled(path, task="classification")
    assert "--role ROLE=COLUMN" in raised.value.fix
    data = read_labelled(path, task="classification", roles={"label": "intent"})
    assert data.roles == {"text": "text", "label": "intent"}

    both = [{"messages": [], "instruction": "a", "response": "b"}]
    with pytest.raises(DataError, match="messages=messages; or instruction="):
        read_labelled(lines(path, both), task="support")


@pytest.mark.parametrize(
    ("task", "roles", "problem"),
    [
        ("poetry", {}, "no labelled files for the task 'poetry'"),
        ("classification", {"tone": "text"}, "no role 'tone'"),
        ("classification", {"label": "tone"}, "no column 'tone'"),
        ("ner", {}, "ner needs tokens and tags"),
    ],
)
def test_what_cannot_be_read_is_explained(
    tmp_path: Path, task: str, roles: dict[str, str], problem: str
) -> None:
    path = lines(tmp_path / "a.jsonl", ROWS)

    with pytest.raises(DataError, match=problem):
        read_labelled(path, task=task, roles=roles)


def test_a_folder_of_splits_asks_which(tmp_path: Path) -> None:
    saved(tmp_path / "train")
    put(tmp_path / "dataset_dict.json", '{"splits": ["train", "test"]}')

    with pytest.raises(DataError, match="2 splits: train, test") as raised:
        read_labelled(tmp_path, task="classification")
    assert str(tmp_path / "train") in raised.value.fix


def test_the_first_bad_row_is_an_error_with_line_and_column(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [*ROWS, {"text": "no label"}])

    with pytest.raises(RowError) as raised:
        read_labelled(path, task="classification")

    assert raised.value.where == f"{path}:4"
    assert raised.value.column == "label"
    assert raised.value.exit_code == DataError.exit_code
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (copy.problem, copy.column, copy.kind) == (
        raised.value.problem,
        "label",
        "missing_field",
    )


SHARED = [
    ("sst2/stsa.binary.train", "sentiment", 6_920, {"0", "1"}),
    ("trec6/TREC.train.all", "classification", 5_452, set("012345")),
    ("trec6/TREC.test.raw", "classification", 500, None),
    ("banking77/test.csv", "classification", 3_080, None),
    ("wnut17/emerging.dev.conll", "ner", 1_009, None),
    ("multi30k/val.en.gz", "translation", 1_014, None),
    (
        "scifact/claims_dev.jsonl",
        "classification",
        300,
        {"SUPPORT", "CONTRADICT", "NOT_ENOUGH_INFO"},
    ),
]


@pytest.mark.parametrize(("name", "task", "count", "labels"), SHARED)
def test_public_files_are_read_as_they_are(
    shared_data: Path, name: str, task: str, count: int, labels: set[str] | None
) -> None:
    data = read_labelled(shared_data / name, task=task)

    assert len(data.cases) == count
    if labels:
        assert {c.label for c in data.cases if isinstance(c, LabelCase)} == labels


def test_public_support_data_have_intents(shared_data: Path) -> None:
    path = next((shared_data / "bitext_customer_support").glob("*.csv"))

    data = read_labelled(path, task="support")

    cases = [case for case in data.cases if isinstance(case, SupportCase)]
    assert (len(cases), len({case.intent for case in cases})) == (4_514, 27)
    assert all(case.messages[-1].role == "assistant" for case in cases)


ANYTHING = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet='{}[]":,\t \nabO-B1é;|', max_size=60).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["text", "label", "tokens", "tags", "messages", "role", "content"]
                )
                | st.text(max_size=4),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(deadline=None, max_examples=120)
@given(raw=ANYTHING, task=st.sampled_from(TASKS))
def test_whatever_stands_in_a_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, task: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.dat"
    path.write_bytes(raw)
    kept: list[RowError] = []
    refused: DataError | None = None
    data: LabelledData | None = None
    try:
        data = read_labelled(path, task=task, report=kept.append)
    except DataError as error:
        refused = error

    if data is None:
        assert refused is not None
        assert refused.fix
        assert str(path) in refused.where
    else:
        assert data.cases
        assert examine_labelled(data, file=str(path))
