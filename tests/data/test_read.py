"""Finding and reading documents, and what is said about those that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.read import (
    UnreadableDocument,
    find_documents,
    read_document,
    read_documents,
)

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_folders_are_searched_and_the_rest_is_counted(tmp_path: Path) -> None:
    for name in ("b.MD", "a/z.txt", "a/.hidden.txt", ".git/x.txt", "p.DOC", "q.doc"):
        write(tmp_path / name, "text")
    write(tmp_path / "b.MD.meta.json", "{}")
    write(tmp_path / "cases.jsonl", "{}")
    write(tmp_path / "Makefile", "x")

    found = find_documents(
        [tmp_path, tmp_path / "b.MD"], exclude=[tmp_path / "a/../cases.jsonl"]
    )

    assert [file.name for file in found.files] == ["a/z.txt", "b.MD"]
    assert found.skipped == {"": 1, ".doc": 2}


def test_a_link_to_a_folder_above_does_not_loop(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "text")
    (tmp_path / "loop").symlink_to(tmp_path)

    assert len(find_documents([tmp_path]).files) == 1


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        find_documents([tmp_path])

    assert str(error.value) == (
        f"{tmp_path}: no documents found\n"
        "  fix: put files there that can be read: "
        ".txt, .text, .md, .markdown, .rst, .html, .htm, .xhtml, .pdf, .docx, .pptx, "
        ".xlsx, .csv, .tsv, .json, .jsonl, .ndjson, .epub, .eml"
    )


def test_folder_of_unreadable_kinds_says_which(tmp_path: Path) -> None:
    write(tmp_path / "a.doc", "x")

    with pytest.raises(DataError, match=r"no documents found \(only 1 \.doc\)"):
        find_documents([tmp_path])


def test_missing_path_and_named_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        find_documents([tmp_path / "nowhere"])
    with pytest.raises(DataError, match="no reader for this file"):
        find_documents([write(tmp_path / "a.doc", "x")])


def test_two_documents_of_one_name(tmp_path: Path) -> None:
    one = write(tmp_path / "one/readme.md", "x")
    other = write(tmp_path / "two/readme.md", "x")

    with pytest.raises(DataError, match=r"would be named 'readme\.md'") as error:
        find_documents([one.parent, other.parent])
    assert "one folder that holds both" in error.value.fix


def test_not_utf8(tmp_path: Path) -> None:
    path = write(tmp_path / "old.txt", "Caf\xe9".encode("latin-1"))

    with pytest.raises(DataError) as error:
        read_document(path, root=tmp_path)

    assert str(error.value) == (
        f"{path}: not UTF-8 at byte 3\n"
        f"  fix: convert it, for example: iconv -f latin1 -t utf-8 '{path}' > converted"
    )


def test_utf16_with_its_mark_is_no_guess(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.txt", "Grüße.".encode("utf-16"))

    assert read_document(path, root=tmp_path).text == "Grüße."


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "a.md", content)

    with pytest.raises(DataError, match="empty file"):
        read_document(path, root=tmp_path)


def test_binary_with_a_text_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"PK\x00\x01")

    with pytest.raises(DataError, match="NUL"):
        read_document(path, root=tmp_path)


def test_a_byte_order_mark_goes_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "sub/a.txt", b"\xef\xbb\xbfTitle\r\n\r\nA  b.\n")

    document = read_document(path, root=tmp_path)

    assert document.text == "Title\r\n\r\nA  b.\n"
    assert document.id == "sub/a.txt"
    assert document.title == "Title"
    assert [document.text[b.start : b.end] for b in document.blocks] == [
        "Title",
        "A  b.",
    ]


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, make_pdf: Any) -> None:
    write(tmp_path / "a.html", "<p>Page.</p>")
    write(tmp_path / "b.pdf", make_pdf([["Locked."]], password="x"))
    write(tmp_path / "c.pdf", make_pdf([["Open."]]))
    write(tmp_path / "d.txt", b"\xff")
    write(tmp_path / "e.html", b"<p>\xff</p>")
    write(tmp_path / "f.md", "Text.")

    read = list(read_documents(find_documents([tmp_path]).files))

    good = [item.text for item in read if isinstance(item, Document)]
    bad = [item for item in read if isinstance(item, UnreadableDocument)]
    assert good == ["Page.", "Open.", "Text."]
    assert [(item.name, item.error.problem) for item in bad] == [
        ("b.pdf", "encrypted: a password is needed to read it"),
        ("d.txt", "not UTF-8 at byte 0"),
        ("e.html", "not UTF-8 at byte 3"),
    ]
    assert bad[0].error.where == str(tmp_path / "b.pdf")


def test_cases_among_the_documents_are_left_out_but_for_squad(tmp_path: Path) -> None:
    squad = write(
        tmp_path / "squad.json",
        '{"data": [{"title": "T", "paragraphs": [{"context": "C.", "qas": []}]}]}',
    )
    cases = write(tmp_path / "cases.jsonl", '{"question": "q", "answers": ["a"]}')
    write(tmp_path / "a.md", "text")

    among = find_documents([tmp_path], exclude=[squad, cases])
    named = find_documents([cases], exclude=[cases])

    assert [file.name for file in among.files] == ["a.md", "squad.json"]
    assert [file.name for file in named.files] == ["cases.jsonl"]
