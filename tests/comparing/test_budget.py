"""What a budget of time is spent on in a comparison over documents."""

from __future__ import annotations

import pytest

from groundtune.config.compare import CompareSettings
from groundtune.config.training import TOKENS_PER_SECOND
from groundtune.core.errors import ConfigError
from groundtune.recipes.comparison.budget import SHARE_OF_FORMAT, spend, spent_on

SETTINGS = CompareSettings()


def tokens(settings: CompareSettings) -> tuple[int, int]:
    return settings.closed_book.max_tokens, settings.context.max_tokens


@pytest.mark.parametrize("is_seen", [True, False])
@pytest.mark.parametrize("seconds", [30.0, 120.0, 600.0])
def test_no_more_is_spent_than_there_is(seconds: float, *, is_seen: bool) -> None:
    alone, reading = tokens(spend(SETTINGS, seconds, is_seen=is_seen))

    assert alone + reading <= seconds * TOKENS_PER_SECOND
    assert alone + reading >= 0.99 * seconds * TOKENS_PER_SECOND


def test_facts_that_were_never_shown_are_not_paid_for() -> None:
    """Unseen documents: an adapter without documents can learn the form alone."""
    alone, reading = tokens(spend(SETTINGS, 600.0, is_seen=False))

    assert alone == SHARE_OF_FORMAT * 600 * TOKENS_PER_SECOND
    assert reading == 0.9 * 600 * TOKENS_PER_SECOND


def test_facts_that_can_be_learned_get_half() -> None:
    alone, reading = tokens(spend(SETTINGS, 200.0, is_seen=True))

    assert alone == reading


def test_what_one_does_not_need_goes_to_the_other() -> None:
    alone, reading = tokens(spend(SETTINGS, 1_000.0, is_seen=True))

    assert alone == SETTINGS.closed_book.max_tokens
    assert reading == 1_000 * TOKENS_PER_SECOND - alone


def test_no_more_is_planned_than_without_a_budget() -> None:
    assert spend(SETTINGS, 1e6, is_seen=True) == SETTINGS
    assert spend(SETTINGS, 1e6, is_seen=False) == SETTINGS


def test_an_arm_alone_gets_everything() -> None:
    only = CompareSettings(arms=("rag", "both")).of_arms()

    found = spend(only, 100.0, is_seen=True)

    assert found.context.max_tokens == 100 * TOKENS_PER_SECOND
    assert "without documents" not in spent_on(found)
    assert "30,000 tokens with documents" in spent_on(found)


def test_seeds_share_it() -> None:
    seeds = CompareSettings(training_seeds=3)

    alone, reading = tokens(spend(seeds, 300.0, is_seen=False))

    assert 3 * (alone + reading) <= 300 * TOKENS_PER_SECOND


def test_too_little_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="too few"):
        spend(SETTINGS, 2.0, is_seen=True)
