from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.core.errors import ConfigError
from groundtune.retrieve.filter import parse_filter

REPORT = {
    "document": "guides/2024/Report.md",
    "lang": "en",
    "date": "2024-05-17",
    "author": "Ana Lima",
    "page_count": "12",
    "title": "Yearly report",
}


@pytest.mark.parametrize(
    "text",
    [
        "lang = en",
        "lang = EN",
        "lang != de",
        "team != red",
        "not team = red",
        "has author",
        "not has team",
        'author = "ana lima"',
        "author like *lima",
        "date = 2024",
        "date = 2024-05",
        "date >= 2024-05-17 and date <= 2024-05-17",
        "date < 2024-06",
        "date > 2023",
        "page_count > 9",
        "page_count >= 12",
        "lang in (de, en)",
        "lang not in (de, fr)",
        'document like "guides/*"',
        "document like guides/*/Report.??",
        "document = guides/2024/Report.md",
        'lang = de or date >= 2024 and document like "*.md"',
        "(lang = de or lang = en) and not author = Bo",
        "lang = de or (lang = en and (page_count < 100))",
        "LANG = x or lang = en",
        "lang=en AND date>=2024-01-01",
    ],
)
def test_a_filter_lets_a_document_through(text: str) -> None:
    assert parse_filter(text).matches(REPORT)
    assert not parse_filter(f"not ({text})").matches(REPORT)


@pytest.mark.parametrize(
    "text",
    [
        "lang = de",
        "team = red",
        "team like *",
        "team > a",
        "date > 2024",
        "date > 2024-05",
        "date < 2024-05-17",
        "page_count < 9",
        "document = guides/2024/report.md",
        'document like "guide/*"',
        "document like *.m",
        "title = report",
        'author = "Ana"',
        "lang = en and lang = de",
    ],
)
def test_a_filter_keeps_a_document_out(text: str) -> None:
    assert not parse_filter(text).matches(REPORT)


def test_numbers_compare_as_numbers_and_dates_as_dates() -> None:
    assert parse_filter("version > 9").matches({"version": "10"})
    assert parse_filter('version < "9"').matches({"version": "10"})
    assert not parse_filter("version > 9").matches({"version": "ten"})
    assert parse_filter("date >= 2024-01-01").matches({"date": "2024-01-01T10:00:00Z"})
    assert parse_filter("due < 2024-02").matches({"due": "2024-01-31"})
    assert not parse_filter("date > 2000").matches({"date": "some day"})
    assert parse_filter("date >= 2024-01").matches({"date": "2024"})


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("", 1, "a key"),
        ("lang", 5, "="),
        ("lang =", 7, "a value"),
        ("lang = en and", 14, "a key"),
        ("lang = en de", 11, "'and', 'or' or the end"),
        ("lang == en", 7, "a value"),
        ("lang ! en", 6, "!="),
        ('lang = "en', 8, "a closing quote"),
        ("(lang = en", 11, "')'"),
        ("lang in en", 9, "'('"),
        ("lang in (en", 12, "')'"),
        ("lang in ()", 10, "a value"),
        ("date > yesterday", 8, "a date"),
        ("date = 2024-13-01", 8, "a date"),
        ("page_count > many", 14, "a number"),
        ("author like", 12, "a pattern"),
        ("lang not = en", 10, "'like' or 'in'"),
        ("and = 1", 1, "a key"),
        ("lang = en; drop", 12, "'and', 'or' or the end"),
    ],
)
def test_an_error_names_the_place_and_what_is_expected(
    text: str, at: int, expected: str
) -> None:
    with pytest.raises(ConfigError) as stop:
        parse_filter(text)

    assert stop.value.where == f"--where, character {at}"
    assert f"expected {expected}" in stop.value.problem
    assert stop.value.fix


def test_length_and_depth_are_bounded() -> None:
    with pytest.raises(ConfigError, match="characters long"):
        parse_filter("lang = " + "x" * 5000)
    with pytest.raises(ConfigError, match="brackets"):
        parse_filter("(" * 60 + "lang = en" + ")" * 60)
    with pytest.raises(ConfigError, match="brackets"):
        parse_filter("not " * 500 + "lang = en")


def test_no_pattern_takes_long() -> None:
    for pattern in ("*" * 2000, "*a" * 1000, "?" * 1000, "*a?" * 600):
        wanted = parse_filter(f"title like {pattern}b")
        assert not wanted.matches({"title": "a" * 3000})


@given(
    text=st.text("ab*/", max_size=8),
    pattern=st.text("ab*?", min_size=1, max_size=8),
)
def test_patterns_match_as_a_regular_expression_does(text: str, pattern: str) -> None:
    signs = {"*": ".*", "?": "."}
    expression = "".join(signs.get(sign, re.escape(sign)) for sign in pattern)

    found = parse_filter(f'document like "{pattern}"').matches({"document": text})

    assert found == (re.fullmatch(expression, text) is not None)


@given(text=st.text(max_size=60))
def test_any_text_is_a_filter_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        assert parse_filter(text).matches(REPORT) in {True, False}


@given(value=st.text(min_size=1, max_size=30))
def test_any_value_can_be_quoted(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')

    found = parse_filter(f'team = "{quoted}"')

    assert found.matches({"team": value})
    assert not found.matches({"team": f"{value}!"})
