"""Faults planted in clean files, one at a time: each is found, at its row.

They are the complaints that people have about data when they fine-tune: what broke the
training, what was learned by mistake, and what made the figure too good.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from groundtune.core.values import Span
from groundtune.data.examination.diagnosis import Diagnosis, from_row_errors
from groundtune.data.examination.examine import examine_labelled
from groundtune.data.examination.lengths import Limit
from groundtune.data.labelled import read_labelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from groundtune.data.rows import RowError

ROWS = 120
AT = 77
"""Where faults are planted; the line is one more."""
OTHER = 31
LABELS = ("billing", "delivery", "returns")
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
Rows = list[dict[str, Any]]


class Words:
    """Words that mean nothing, from a seed, so that no two texts are alike."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def word(self) -> str:
        picks = self._rng.integers(0, 100, size=6)
        pairs = zip(picks[::2], picks[1::2], strict=True)
        return "".join(
            CONSONANTS[a % len(CONSONANTS)] + VOWELS[b % len(VOWELS)] for a, b in pairs
        )

    def sentence(self, count: int = 9) -> str:
        return " ".join(self.word() for _ in range(count)).capitalize() + "."


def labelled(seed: int = 0) -> Rows:
    words = Words(seed)
    return [
        {"text": words.sentence(), "label": LABELS[number % 3]}
        for number in range(ROWS)
    ]


def tagged(seed: int = 0) -> Rows:
    words = Words(seed)
    return [
        {
            "tokens": [words.word() for _ in range(7)],
            "tags": ["O", "B-person", "I-person", "O", "B-place", "O", "O"],
        }
        for _ in range(ROWS)
    ]


def translated(seed: int = 0) -> Rows:
    words = Words(seed)
    rows: Rows = []
    for number in range(ROWS):
        a, b, c = (words.word() for _ in range(3))
        rows.append(
            {
                "source": f"the {a} of the {b} was there with {number} {c} and it had "
                f"their {words.word()}.",
                "target": f"der {a} und die {b} werden von {number} {c} nicht auf dem "
                f"{words.word()}.",
            }
        )
    return rows


def conversations(seed: int = 0) -> Rows:
    words = Words(seed)
    return [
        {
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": words.sentence()},
                {"role": "assistant", "content": words.sentence(12)},
            ],
            "intent": LABELS[number % 3],
        }
        for number in range(ROWS)
    ]


MAKE = {
    "classification": labelled,
    "ner": tagged,
    "translation": translated,
    "support": conversations,
}


class WordTokenizer:
    """A token a word."""

    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join("x" * size for size in ids)

    def offsets(self, text: str) -> list[Span]:
        return [Span(*match.span()) for match in re.finditer(r"\S+", text)]


LIMIT = Limit(WordTokenizer(), 60, "small")


class Found(NamedTuple):
    kinds: dict[str, Diagnosis]
    path: Path

    def lines(self, kind: str) -> set[int]:
        """Lines of the file at which a kind was found."""
        if kind not in self.kinds:
            return set()
        spots = self.kinds[kind].spots
        assert all(spot.where.startswith(str(self.path)) for spot in spots)
        return {int(spot.where.rpartition(":")[2]) for spot in spots}


def write(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def examined(path: Path, task: str, test: Path | None = None) -> Found:
    errors: list[RowError] = []
    data = read_labelled(path, task=task, report=errors.append)
    held_out = read_labelled(test, task=task, report=errors.append) if test else None
    found = examine_labelled(data, file=str(path), test=held_out, limit=LIMIT)
    every = [*from_row_errors(errors), *found]
    kinds = {one.kind: one for one in every}
    assert len(kinds) == len(every), "one finding a kind"
    return Found(kinds, test or path)


@pytest.mark.parametrize("task", sorted(MAKE))
def test_a_clean_file_has_no_fault(task: str, tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", MAKE[task](seed=1))
    test = write(tmp_path / "test.jsonl", MAKE[task](seed=2))

    found = examined(train, task, test)

    kinds = {"lengths", "class_balance", "languages"}
    assert set(found.kinds) <= kinds
    assert "lengths" in found.kinds


class Fault(NamedTuple):
    """A fault, and what is to be found at its row."""

    kind: str
    task: str
    plant: Callable[[Rows], None]
    is_note: bool = False
    """Whether one row of it is a fact rather than a fault."""


def into(**fields: Any) -> Callable[[Rows], None]:
    """Plant other fields in a row."""

    def plant(rows: Rows) -> None:
        rows[AT] |= fields

    return plant


def after(field: str, text: str) -> Callable[[Rows], None]:
    """Plant a text behind what stands in a field."""

    def plant(rows: Rows) -> None:
        rows[AT][field] += f" {text}"

    return plant


def without(field: str) -> Callable[[Rows], None]:
    def plant(rows: Rows) -> None:
        del rows[AT][field]

    return plant


def as_other(*fields: str) -> Callable[[Rows], None]:
    """Plant what stands in an earlier row."""

    def plant(rows: Rows) -> None:
        for field in fields:
            rows[AT][field] = rows[OTHER][field]

    return plant


def turn(number: int, **fields: Any) -> Callable[[Rows], None]:
    def plant(rows: Rows) -> None:
        rows[AT]["messages"][number] |= fields

    return plant


def turns(*roles: str) -> Callable[[Rows], None]:
    """Plant a conversation in which these speak."""

    def plant(rows: Rows) -> None:
        words = Words(9)
        rows[AT]["messages"] = [
            {"role": role, "content": words.sentence()} for role in roles
        ]

    return plant


def says(text: str) -> Callable[[Rows], None]:
    return turn(2, content=text)


def swapped(one: str, other: str) -> Callable[[Rows], None]:
    def plant(rows: Rows) -> None:
        row = rows[AT]
        row[one], row[other] = row[other], row[one]

    return plant


def same_id(rows: Rows) -> None:
    for number, row in enumerate(rows):
        row["id"] = str(number)
    rows[AT]["id"] = "3"


def nearly_other(rows: Rows) -> None:
    words = Words(8)
    rows[OTHER]["text"] = words.sentence(14)
    rows[AT] |= {**rows[OTHER], "text": rows[OTHER]["text"].replace(".", " ok!")}


def tag_of(number: int, tag: str) -> Callable[[Rows], None]:
    def plant(rows: Rows) -> None:
        rows[AT]["tags"][number] = tag

    return plant


def token_of(number: int, token: str) -> Callable[[Rows], None]:
    def plant(rows: Rows) -> None:
        rows[AT]["tokens"][number] = token

    return plant


def fewer_tags(rows: Rows) -> None:
    rows[AT]["tags"].pop()


def endless_entity(rows: Rows) -> None:
    rows[AT]["tokens"] = [Words(n).word() for n in range(40)]
    rows[AT]["tags"] = ["B-place", *["I-place"] * 39]


def other_type(rows: Rows) -> None:
    rows[AT]["tags"] = ["O", "B-Person", "I-Person", "O", "O", "O", "O"]


def asks_as_it_answers(rows: Rows) -> None:
    rows[AT]["messages"][2]["content"] = rows[AT]["messages"][1]["content"]


def copied(rows: Rows) -> None:
    rows[AT]["target"] = rows[AT]["source"]


def other_number(rows: Rows) -> None:
    rows[AT]["target"] = rows[AT]["target"].replace(str(AT), "12")


CARD = "4111 1111 " + "1111 1111"
ACCOUNT = "DE89 3704 0044 " + "0532 0130 00"
KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
LONG = Words(7).sentence(80)
FAULTS = (
    Fault("missing_field", "classification", without("label")),
    Fault("empty_text", "classification", into(text="  ")),
    Fault("empty_label", "classification", into(label=None)),
    Fault("wrong_kind", "classification", into(text={"body": "so"})),
    Fault("several_labels", "classification", into(label=["billing", "returns"])),
    Fault("half_character", "classification", after("text", "\ud83d")),
    Fault("duplicate_id", "classification", same_id),
    Fault("label_variants", "classification", into(label="Billing")),
    Fault("label_typos", "classification", into(label="delivrey")),
    Fault("missing_labels", "classification", into(label="n/a")),
    Fault("numbers_among_labels", "classification", into(label="3")),
    Fault("label_is_text", "classification", into(label=LONG[:90])),
    Fault("swapped_columns", "classification", swapped("text", "label")),
    Fault("header_as_row", "classification", into(text="text", label="label")),
    Fault("text_is_label", "classification", into(text="Returns", label="returns")),
    Fault("small_classes", "classification", into(label="praise")),
    Fault("label_in_text", "classification", after("text", "[returns]")),
    Fault("conflicting_labels", "classification", as_other("text")),
    Fault("duplicates", "classification", as_other("text", "label"), is_note=True),
    Fault("near_duplicates", "classification", nearly_other, is_note=True),
    Fault("control_characters", "classification", after("text", "\x07")),
    Fault("replacement_characters", "classification", after("text", "caf\ufffd")),
    Fault("mojibake", "classification", after("text", "cafÃ©")),
    Fault("invisible_characters", "classification", after("text", "a\u200bb")),
    Fault("html", "classification", after("text", "now<br />then &amp; there")),
    Fault("placeholder_text", "classification", into(text="N/A")),
    Fault("secrets", "classification", after("text", KEY)),
    Fault("card_numbers", "classification", after("text", CARD)),
    Fault("account_numbers", "classification", after("text", ACCOUNT)),
    Fault("personal_data", "classification", after("text", "to ada@lovelace.org")),
    Fault("cut_text", "classification", into(text=LONG)),
    Fault("far_longer", "classification", into(text=Words(5).sentence(100))),
    Fault("length_mismatch", "ner", fewer_tags),
    Fault("bad_tag", "ner", tag_of(0, "7")),
    Fault("empty_token", "ner", token_of(0, "")),
    Fault("invalid_bio", "ner", tag_of(3, "I-place")),
    Fault("other_scheme", "ner", tag_of(4, "S-place")),
    Fault("type_variants", "ner", other_type),
    Fault("tokens_with_spaces", "ner", token_of(0, "two words")),
    Fault("long_entities", "ner", endless_entity),
    Fault(
        "copied_source",
        "translation",
        copied,
    ),
    Fault(
        "wrong_language",
        "translation",
        into(target="that is what they have and it was with the other of them in it."),
    ),
    Fault("swapped_languages", "translation", swapped("source", "target")),
    Fault("length_ratio", "translation", into(target="der 77.")),
    Fault(
        "numbers_differ",
        "translation",
        other_number,
    ),
    Fault("empty_text", "translation", into(target="")),
    Fault("unknown_role", "support", turn(1, role="function")),
    Fault("empty_turn", "support", turn(2, content=" ")),
    Fault("bad_messages", "support", into(messages="hello")),
    Fault("last_not_assistant", "support", turns("user", "assistant", "user")),
    Fault("roles_not_alternating", "support", turns("user", "user", "assistant")),
    Fault("system_not_first", "support", turns("user", "system", "assistant")),
    Fault("begins_with_assistant", "support", turns("assistant", "user", "assistant")),
    Fault("speaker_in_text", "support", says("Assistant: Of course, here it is.")),
    Fault("answer_is_question", "support", asks_as_it_answers),
    Fault(
        "cut_answers", "support", says("You can find it in the menu at the top of the")
    ),
    Fault("refusal", "support", says("I'm sorry, but I cannot assist with that.")),
    Fault("unfilled_slots", "support", says("Dear [your name], here it is.")),
    Fault("template_tokens", "support", says("Here it is.<|im_end|>")),
    Fault("placeholder_text", "support", says("TO" + "DO")),
    Fault("cut_answer", "support", says(LONG)),
    Fault("missing_intents", "support", into(intent="")),
    Fault("label_variants", "support", into(intent="Billing")),
)


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault.task}-{fault.kind}"
)
def test_a_planted_fault_is_found_at_its_row(fault: Fault, tmp_path: Path) -> None:
    rows = MAKE[fault.task]()
    fault.plant(rows)

    found = examined(write(tmp_path / "train.jsonl", rows), fault.task)

    assert found.lines(fault.kind) == {AT + 1}
    assert (found.kinds[fault.kind].severity == "note") == fault.is_note
    assert all(spot.column for spot in found.kinds[fault.kind].spots)


def leaked(rows: Rows, test: Rows) -> None:
    test[AT] = rows[OTHER]


def leaked_in_other_letters(rows: Rows, test: Rows) -> None:
    test[AT] = {**rows[OTHER], "text": rows[OTHER]["text"].upper() + " "}


def leaked_but_for_a_word(rows: Rows, test: Rows) -> None:
    rows[OTHER]["text"] = Words(6).sentence(14)
    test[AT] = {**rows[OTHER], "text": "So " + rows[OTHER]["text"]}


def unseen(rows: Rows, test: Rows) -> None:
    test[AT]["label"] = "praise"


def shared_group(rows: Rows, test: Rows) -> None:
    for side, own in (("a", rows), ("b", test)):
        for number, row in enumerate(own):
            row["group"] = f"{side}{number}"
    test[AT]["group"] = rows[OTHER]["group"]


@pytest.mark.parametrize(
    ("kind", "plant", "is_note"),
    [
        ("test_in_train", leaked, True),
        ("test_in_train", leaked_in_other_letters, True),
        ("test_nearly_in_train", leaked_but_for_a_word, True),
        ("unseen_labels", unseen, False),
        ("group_in_train", shared_group, False),
    ],
)
def test_a_planted_leak_is_found_at_its_row(
    kind: str, plant: Callable[[Rows, Rows], None], is_note: bool, tmp_path: Path
) -> None:
    rows, test = labelled(), labelled(seed=1)
    plant(rows, test)

    found = examined(
        write(tmp_path / "train.jsonl", rows),
        "classification",
        write(tmp_path / "test.jsonl", test),
    )

    assert found.lines(kind) == {AT + 1}
    assert (found.kinds[kind].severity == "note") == is_note


@pytest.mark.parametrize("task", ["ner", "translation", "support"])
def test_a_near_leak_is_found_whatever_its_answer(task: str, tmp_path: Path) -> None:
    rows, test = MAKE[task](), MAKE[task](seed=1)
    words = Words(4).sentence(20)
    for side, more in ((rows[OTHER], ""), (test[AT], " ok")):
        if task == "ner":
            side["tokens"] = [*words.split(), *more.split()]
            side["tags"] = ["O"] * len(side["tokens"])
        elif task == "translation":
            side["source"] = words + more
        else:
            side["messages"][1]["content"] = words + more

    train = write(tmp_path / "train.jsonl", rows)
    found = examined(train, task, write(tmp_path / "test.jsonl", test))

    assert found.lines("test_nearly_in_train") == {AT + 1}
    assert f"{train}:{OTHER + 1}" in found.kinds["test_nearly_in_train"].spots[0].detail


def test_one_long_system_turn_makes_nothing_alike(tmp_path: Path) -> None:
    rows = conversations()
    for row in rows:
        row["messages"][0]["content"] = Words(3).sentence(60)

    found = examined(write(tmp_path / "train.jsonl", rows), "support")

    assert "class_balance" in found.kinds
    assert not {"duplicates", "near_duplicates"} & set(found.kinds)


@pytest.mark.parametrize(
    ("count", "severity"), [(1, "note"), (2, "warning"), (6, "error")]
)
def test_a_leak_counts_by_its_share_of_the_test(
    count: int, severity: str, tmp_path: Path
) -> None:
    rows, test = labelled(), labelled(seed=1)
    test[:count] = rows[:count]

    found = examined(
        write(tmp_path / "train.jsonl", rows),
        "classification",
        write(tmp_path / "test.jsonl", test),
    )

    assert found.kinds["test_in_train"].severity == severity


class TextFault(NamedTuple):
    """A fault in the text of a file; the line that is changed."""

    name: str
    kind: str
    task: str
    lines: Callable[[], list[str]]
    change: Callable[[str], str]


def table() -> list[str]:
    return ["text,label", *(f'"{row["text"]}",{row["label"]}' for row in labelled())]


def conll() -> list[str]:
    pairs = [zip(row["tokens"], row["tags"], strict=True) for row in tagged()]
    return [line for pair in pairs for line in [*(f"{a}\t{b}" for a, b in pair), ""]]


def json_rows() -> list[str]:
    return [json.dumps(row) for row in labelled()]


def label_first() -> list[str]:
    return [f"{row['label']} {row['text']}" for row in labelled()]


def instead(text: str) -> Callable[[str], str]:
    """Plant another line."""

    def change(line: str) -> str:
        assert line != text
        return text

    return change


def cut_short(line: str) -> str:
    return line[:-1]


def one_more_cell(line: str) -> str:
    return f"{line},x"


def open_quote(line: str) -> str:
    return f'"{line}'


def no_tag(line: str) -> str:
    return line.split("\t", maxsplit=1)[0]


def loose_tag(line: str) -> str:
    return f"{no_tag(line)}\tI-else"


TEXT_FAULTS = (
    TextFault("json", "not_json", "classification", json_rows, cut_short),
    TextFault("list", "not_json", "classification", json_rows, instead("[1]")),
    TextFault("csv", "wrong_cells", "classification", table, one_more_cell),
    TextFault("csv", "broken_quotes", "classification", table, open_quote),
    TextFault("lines", "empty_text", "classification", label_first, instead("returns")),
    TextFault("conll", "missing_tag", "ner", conll, no_tag),
    TextFault("conll", "invalid_bio", "ner", conll, loose_tag),
)


@pytest.mark.parametrize("fault", TEXT_FAULTS, ids=lambda f: f"{f.name}-{f.kind}")
def test_a_fault_in_the_text_is_found_at_its_line(
    fault: TextFault, tmp_path: Path
) -> None:
    lines = fault.lines()
    lines[AT] = fault.change(lines[AT])
    path = tmp_path / "train.dat"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    found = examined(path, fault.task)

    assert found.lines(fault.kind) == {AT + 1}
    assert found.kinds[fault.kind].severity == "error"


def test_sentences_without_a_break_are_found(tmp_path: Path) -> None:
    lines = conll()
    first = lines.index("") + 1
    joined = [*lines[:first], *(line for line in lines[first:400] if line), ""]
    path = tmp_path / "train.conll"
    path.write_text("\n".join([*joined, *lines[400:]]) + "\n", encoding="utf-8")

    found = examined(path, "ner")

    assert found.lines("missing_breaks") == {first + 1}


def test_lines_that_are_not_aligned_are_found_where_one_file_ends(
    tmp_path: Path,
) -> None:
    rows = translated()
    (tmp_path / "train.en").write_text(
        "\n".join(row["source"] for row in rows) + "\n", encoding="utf-8"
    )
    target = tmp_path / "train.de"
    target.write_text(
        "\n".join(row["target"] for row in [*rows, rows[0]]) + "\n", encoding="utf-8"
    )

    found = examined(tmp_path / "train.en", "translation")

    assert found.kinds["not_aligned"].severity == "error"
    assert found.kinds["not_aligned"].spots[0].where == f"{target}:{ROWS + 1}"


def test_what_no_row_is_to_blame_for(tmp_path: Path) -> None:
    one = [{**row, "label": "billing"} for row in labelled()]
    most = [
        {**row, "label": "returns" if n < 3 else "billing"}
        for n, row in enumerate(labelled())
    ]
    many = [{**row, "label": f"l{n}"} for n, row in enumerate(labelled())]
    cut = [
        {**row, "text": Words(n).sentence(40)[:180]} for n, row in enumerate(labelled())
    ]
    told = [{**row, "text": f"{row['text']} q{row['label'][0]}x"} for row in labelled()]
    silent = [{**row, "tags": ["O"] * 7} for row in tagged()]
    english = [{**row, "target": f"so {row['source']}"} for row in translated()]
    first = [
        {**row, "tags": ["O", "I-person", "I-person", "O", "I-place", "O", "O"]}
        for row in tagged()
    ]
    same = [
        {
            **row,
            "messages": [
                *row["messages"][:2],
                {"role": "assistant", "content": "Please wait for us to reply."},
            ],
        }
        for row in conversations()
    ]

    constant = [{**row, "text": "Please wait."} for row in labelled()]
    one_group = [{**row, "group": "all"} for row in labelled()]

    for rows, task, kind, severity in (
        (one, "classification", "one_label", "error"),
        (most, "classification", "dominant_class", "warning"),
        (many, "classification", "too_many_labels", "error"),
        (cut, "classification", "cut_at_one_length", "warning"),
        (told, "classification", "one_word_tells", "warning"),
        (silent, "ner", "no_entities", "error"),
        (first, "ner", "iob1", "error"),
        (english, "translation", "one_language", "error"),
        (same, "support", "one_answer_for_many", "warning"),
        (constant, "classification", "constant_column", "error"),
        (one_group, "classification", "constant_column", "error"),
    ):
        found = examined(write(tmp_path / f"{kind}.jsonl", rows), task)
        assert found.kinds[kind].severity == severity, kind
