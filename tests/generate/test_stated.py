"""Facts of a sentence, and what vouches for them."""

from __future__ import annotations

import pytest

from groundtune.generate.stated import bare, blanks, is_item, unvouched, value_of

POLICY = (
    "Refunds are paid within 6 working days. Postage costs 4 euros. 20 % of it is tax. "
    "Parcels leave on Fridays with Hollow Post. Write to help@skylark.example."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "You will have it within 6 working days.",
        "That costs \u20ac4, I am afraid.",
        "It takes 6 working days by Hollow Post.",
        "Please write to help@skylark.example.",
        "Order 4711 leaves on Friday.",
        "I'm sorry to hear that, and I'll look into it.",
        "Tax is 20 percent.",
        "1. Thank you for waiting.",
    ],
)
def test_what_a_policy_or_the_customer_says_may_be_said(sentence: str) -> None:
    assert unvouched(sentence, [POLICY], asked="Where is order 4711?") == ()


@pytest.mark.parametrize(
    ("sentence", "fact"),
    [
        ("You will have it within 6 weeks.", "6 weeks"),
        ("You will have it within two weeks.", "two weeks"),
        ("That costs $4.", "4 dollar"),
        ("That costs 20 euros.", "20 euros"),
        ("Parcels leave with Swift Post.", "Swift"),
        ("Go to the 'My Orders' page.", "My"),
        ("Write to other@skylark.example.", "other@skylark.example"),
        ("Look at https://skylark.example/help.", "https://skylark.example/help"),
        ("Call us at {{Phone Number}}.", "{{Phone Number}}"),
        ("Call us at [Phone Number].", "[Phone Number]"),
        ("Order 4712 is on its way.", "4712 is"),
    ],
)
def test_what_nobody_said_is_named(sentence: str, fact: str) -> None:
    assert fact in unvouched(sentence, [POLICY], asked="Where is order 4711?")


def test_a_figure_is_vouched_for_by_one_source_with_what_it_counts() -> None:
    apart = ["It takes 3 weeks.", "There are 5 days."]
    assert unvouched("It takes 3 days.", apart) == ("3 days",)


def test_places_left_open_and_lines_that_fill_them() -> None:
    assert blanks("Mail {{ Support Email }}, see [the page] [1].") == [
        ("{{ Support Email }}", "Support Email"),
        ("[the page]", "the page"),
    ]
    contact = "# Contact\n\n- **Support emails:** a@b.example\n| Hours | 9 |\nFax:\n"
    assert value_of("support email", contact) == "a@b.example"
    assert value_of("fax", contact) == value_of("email", contact) == ""
    assert value_of("", contact) == ""


def test_items_of_lists() -> None:
    assert [bare(one) for one in ("1. Go.", "- Go.", "Go.")] == ["Go."] * 3
    assert is_item(" 2) Go.")
    assert not is_item("2 days.")
