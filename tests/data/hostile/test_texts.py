"""Texts, tables and records that are broken or made to do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Bad(NamedTuple):
    """A document that no reader was made for."""

    name: str
    raw: bytes
    is_costly: bool = False


KINDS = ("txt", "md", "rst", "csv", "tsv", "json", "jsonl")


@pytest.fixture(scope="module")
def bad_documents(spoilt_copies: Any) -> list[Bad]:
    copies = [made for kind in KINDS for made in spoilt_copies(kind)]
    return [*(Bad(*made) for made in copies), *bad_texts()]


def bad_texts() -> Iterator[Bad]:
    long = 300_000
    yield Bad("line.txt", b"x" * 3_000_000)
    yield Bad("lines.txt", b"\n" * 3_000_000 + b"x")
    yield Bad("halfline.txt", b"a \t" * 500_000)
    for kind in ("md", "rst"):
        for number, text in enumerate(
            (
                "#",
                "[",
                "> ",
                "- ",
                "*",
                "`",
                "|",
                "[a](",
                "    ",
                "\n---\n",
                ":a",
                "=\n",
                "..\n",
            )
        ):
            yield Bad(
                f"repeat{number}.{kind}", text.encode() * (long // len(text)) + b"x"
            )
    anchors = "\n".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)
    )
    yield Bad("yaml-bomb.md", f"---\na0: &a0 [x]\n{anchors}\n---\ntext".encode())
    yield Bad("yaml-deep.md", b"---\na: " + b"[" * 20_000 + b"\n---\ntext")
    yield Bad(
        "yaml-code.md", b"---\na: !!python/object/apply:os.system [id]\n---\ntext"
    )
    for name, text in {
        "deep": "[" * 2_000_000,
        "deep-objects": '{"a":' * 500_000,
        "number": "9" * 1_000_000,
        "half": '"\\ud800"',
        "nan": "[NaN, Infinity]",
        "nothing": "[" + "[]," * 300_000 + "[]]",
    }.items():
        yield Bad(f"{name}.json", text.encode())
        yield Bad(f"{name}.jsonl", text.encode())
    for kind, mark in (("csv", ","), ("tsv", "\t")):
        yield Bad(f"quote.{kind}", b'a,b\n1,"' + b"x\n" * 500_000)
        yield Bad(f"wide.{kind}", mark.encode() * 1_000_000)
        yield Bad(
            f"ragged.{kind}", "\n".join(mark * n for n in range(900)).encode() + b"x"
        )


def test_some_of_them(bad_documents: list[Bad], read_some: Any) -> None:
    read_some(bad_documents, at_least=12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_of_them(bad_documents: list[Bad], read_all: Any) -> None:
    read_all(bad_documents, at_least=240)
