"""A budget of time for the adapters of a comparison over documents.

What an adapter can still decide says how much of it is spent there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from groundtune.config.training import TOKENS_PER_SECOND, within_tokens

if TYPE_CHECKING:
    from groundtune.config.compare import CompareSettings

SHARE_OF_FORMAT = 0.1
"""What an adapter without documents gets of the budget where it can learn only the form
of answers: the facts that are asked for stand in documents it never saw."""
SHARE_OF_FACTS = 0.5
"""What it gets where it could learn them: it loses by construction if it may not."""


def spend(
    settings: CompareSettings, seconds: float, *, is_seen: bool
) -> CompareSettings:
    """Settings under which all trainings together take about that time.

    What one adapter does not need goes to the other; neither gets more than its plan.

    Args:
        settings: Of the comparison, with the plan of each adapter.
        seconds: For the adapters of all training seeds.
        is_seen: Whether test cases ask about documents that training cases ask about.

    Raises:
        ConfigError: The budget is too small to train anything.
    """
    tokens = int(seconds * TOKENS_PER_SECOND / settings.training_seeds)
    alone, reading = settings.closed_book, settings.context
    if not settings.needs_context:
        return replace(settings, closed_book=within_tokens(alone, tokens))
    if not settings.needs_closed_book:
        return replace(settings, context=within_tokens(reading, tokens))
    share = SHARE_OF_FACTS if is_seen else SHARE_OF_FORMAT
    least = max(int(share * tokens), 2 * alone.batch_tokens)
    reading = within_tokens(reading, tokens - min(least, alone.max_tokens))
    alone = within_tokens(alone, tokens - reading.max_tokens)
    return replace(settings, closed_book=alone, context=reading)


def spent_on(settings: CompareSettings) -> str:
    """What each adapter gets, in words."""
    parts = [
        f"{part.max_tokens:,} tokens {name}"
        for name, part, is_needed in (
            ("without documents", settings.closed_book, settings.needs_closed_book),
            ("with documents", settings.context, settings.needs_context),
        )
        if is_needed
    ]
    return f"the budget trains at most {' and '.join(parts) or 'nothing'}"
