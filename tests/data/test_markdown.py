"""The Markdown scanner, by example and against markdown-it-py."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from groundtune.data.read_markdown import (
    heading_title,
    markdown_blocks,
    read_markdown,
)

PAGE = """\
---
title: Front
---
# Guide #

A paragraph that
wraps.

Install
-------

1. first
   more of it

   - nested
2. second

```sh
# not a heading
make
```

| a | b |
|---|---|
| 1 | 2 |

> a quote

    indented code

***
Last words. ## not a heading
"""


def shown(text: str) -> list[tuple[str, int, str]]:
    return [
        (block.kind, block.level, text[block.start : block.end])
        for block in markdown_blocks(text)
    ]


def test_blocks_of_a_page() -> None:
    found = shown(PAGE)

    assert [(kind, level) for kind, level, _ in found] == [
        ("metadata", 0),
        ("heading", 1),
        ("paragraph", 0),
        ("heading", 2),
        ("list", 0),
        ("code", 0),
        ("table", 0),
        ("paragraph", 0),
        ("code", 0),
        ("paragraph", 0),
        ("paragraph", 0),
    ]
    assert found[5][2] == "```sh\n# not a heading\nmake\n```"
    assert found[4][2].endswith("2. second")


def test_offsets_are_those_of_the_file() -> None:
    raw = PAGE.replace("\n", "\r\n").encode()

    document = read_markdown(raw, name="guide.md", where="guide.md")

    assert document.text.encode() == raw
    assert document.title == "Guide"
    titles = [
        heading_title(document.text[b.start : b.end])
        for b in document.blocks
        if b.kind == "heading"
    ]
    assert titles == ["Guide", "Install"]


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("# Plain", "Plain"),
        ("### Closed ###", "Closed"),
        ("# C#", "C#"),
        ("##", ""),
        ("# See [the **docs**](http://x) and `code`", "See the docs and code"),
        ("Two\nlines\n===", "Two lines"),
    ],
)
def test_what_a_heading_says(raw: str, title: str) -> None:
    assert heading_title(raw) == title


LINES = st.sampled_from(
    [
        "# One",
        "## Two ##",
        "#no heading",
        "plain text",
        "more text here",
        "===",
        "```",
        "~~~~",
        "",
        "",
        "***",
        "#######",
    ]
)


@settings(deadline=None)
@given(st.lists(LINES, max_size=14))
def test_headings_and_code_agree_with_commonmark(lines: list[str]) -> None:
    text = "\n".join(lines)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    ours = [
        (block.kind, block.level, starts.index(block.start))
        for block in markdown_blocks(text)
        if block.kind in {"heading", "code"}
    ]
    theirs: list[tuple[str, int, int]] = []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "heading_open" and token.map:
            theirs.append(("heading", int(token.tag[1]), token.map[0]))
        elif token.type == "fence" and token.map:
            theirs.append(("code", 0, token.map[0]))

    assert ours == theirs


@settings(deadline=None)
@given(st.text(alphabet="ab #`~-=|>*1.\n\t\r ", max_size=200))
def test_blocks_are_in_order_and_leave_nothing_out(text: str) -> None:
    blocks = markdown_blocks(text)

    assert all(a.end <= b.start for a, b in pairwise(blocks))
    covered = "".join(text[block.start : block.end] for block in blocks)
    assert "".join(covered.split()) == "".join(text.split())


@pytest.mark.parametrize(
    "unit", ["# ", "[", "|-", "- a\n", "```\n", "> ", "#", "a\n|", "\t", "[a](", "* "]
)
def test_no_input_takes_quadratic_time(unit: str) -> None:
    began = time.perf_counter()

    text = unit * 60_000
    for block in markdown_blocks(text):
        if block.kind == "heading":
            heading_title(text[block.start : block.end])

    assert time.perf_counter() - began < 10
