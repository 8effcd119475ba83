"""reStructuredText: the blocks of the file itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.data.read_rst import read_rst, rst_heading_title

PAGE = """\
=========
The Guide
=========

:Author: Ada
:Date: 2024-03-01

Intro with :ref:`a link <target>`
over two lines::

    literal = 1

    more

First Part
----------

- one
- two

  still two

1. first
2. second

.. code-block:: python

   print("x")

.. versionadded:: 3.2
   New text.

Sub
~~~

+------+-----+
| name | age |
+======+=====+
| Ada  | 36  |
+------+-----+

====  ====
a     b
====  ====
1     2
====  ====

>>> 1 + 1
2

Second Part
-----------
Last words.
"""


def read(text: str) -> Any:
    return read_rst(text.encode(), name="a.rst", where="a.rst")


def test_structure(show: Any) -> None:
    document = read(PAGE)

    assert document.title == "The Guide"
    assert document.text == PAGE
    assert document.metadata == {
        "path": "a.rst",
        "source_format": "rst",
        "author": "Ada",
        "date": "2024-03-01",
    }
    assert show(document) == [
        ("heading", 1, "=========\nThe Guide\n========="),
        ("list", 0, ":Author: Ada\n:Date: 2024-03-01"),
        ("paragraph", 0, "Intro with :ref:`a link <target>`\nover two lines::"),
        ("code", 0, "    literal = 1\n\n    more"),
        ("heading", 2, "First Part\n----------"),
        ("list", 0, "- one\n- two\n\n  still two"),
        ("list", 0, "1. first\n2. second"),
        ("code", 0, '.. code-block:: python\n\n   print("x")'),
        ("paragraph", 0, ".. versionadded:: 3.2\n   New text."),
        ("heading", 3, "Sub\n~~~"),
        (
            "table",
            0,
            "+------+-----+\n| name | age |\n+======+=====+\n| Ada  | 36  |\n"
            "+------+-----+",
        ),
        ("table", 0, "====  ====\na     b\n====  ====\n1     2\n====  ===="),
        ("code", 0, ">>> 1 + 1\n2"),
        ("heading", 2, "Second Part\n-----------"),
        ("paragraph", 0, "Last words."),
    ]


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("=====\nTitle\n=====", "Title"),
        ("The :mod:`os` ``x``\n------", "The os x"),
        ("See :doc:`the page <p>`\n====", "See the page"),
    ],
)
def test_heading_titles(raw: str, title: str) -> None:
    assert rst_heading_title(raw) == title


@given(st.text(alphabet="ab =-~.:|+*>`\n\t", max_size=300))
def test_blocks_lie_in_order_and_lose_nothing(text: str) -> None:
    if not text.strip():
        return
    document = read(text)

    position = 0
    for block in document.blocks:
        assert not text[position : block.start].strip()
        assert block.start < block.end
        position = block.end
    assert not text[position:].strip()
