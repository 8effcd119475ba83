"""Which settings a training for labels starts from, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from groundtune.config.encoder import EncoderSettings, changed, default_settings
from groundtune.core.errors import ConfigError
from groundtune.core.values import LabelCase
from groundtune.tune.encoder.strategy import choose_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.config.encoder import Strategy
    from groundtune.core.values import EntityCase

OF_A_FITTED_HEAD = frozenset(
    {"max_tokens", "class_weights", "label_smoothing", "label_names"}
)
"""Settings that decide the head of a text model where nothing else is trained."""


class Chosen(NamedTuple):
    """Settings, and the reason for their strategy."""

    settings: EncoderSettings
    why: str


def choose_settings(
    cases: Sequence[LabelCase | EntityCase],
    *,
    is_words: bool,
    strategy: str,
    settings: EncoderSettings | None,
    changes: Mapping[str, str],
) -> Chosen:
    """Settings for these cases.

    Args:
        cases: To learn from.
        is_words: Whether words are labelled, rather than whole texts.
        strategy: One of `STRATEGIES`, or `auto`.
        settings: All of them; where given, `strategy` must agree.
        changes: Single settings as a person wrote them.

    Raises:
        ConfigError: They contradict one another, or one would change nothing.
    """
    if settings is not None:
        if strategy not in {"auto", settings.strategy}:
            raise ConfigError(
                f"the strategy is {strategy!r}, the settings say {settings.strategy!r}",
                fix="give one of them",
                where="strategy",
            )
        why = "as asked for"
    elif strategy == "auto":
        counts = Counter(
            case.label if isinstance(case, LabelCase) else "" for case in cases
        )
        chosen, why = choose_strategy(counts, is_words=is_words)
        settings = default_settings(chosen)
    else:
        # The settings check that it is a strategy.
        replace(EncoderSettings(), strategy=cast("Strategy", strategy))
        settings, why = default_settings(cast("Strategy", strategy)), "as asked for"
    if is_words and settings.strategy == "contrastive":
        raise ConfigError(
            "words cannot be trained by contrasts",
            fix="use full, head, lora or dora",
            where="strategy",
        )
    return Chosen(with_changes(settings, changes, is_words=is_words), why)


def with_changes(
    settings: EncoderSettings, changes: Mapping[str, str], *, is_words: bool
) -> EncoderSettings:
    """Single settings changed; one that would change nothing is refused.

    Raises:
        ConfigError: No such setting, not a value of it, or an idle one.
    """
    is_fitted = settings.strategy == "head" and not is_words
    if is_fitted and (idle := sorted(changes.keys() - OF_A_FITTED_HEAD)):
        raise ConfigError(
            f"{idle[0]} does nothing where a head is fitted in one go",
            fix="leave it out, or use another strategy",
            where=f"encoder.{idle[0]}",
        )
    return changed(settings, changes)


def check_shared(settings: EncoderSettings, *, processes: int, is_words: bool) -> None:
    """Refuse several processes where they would have nothing to share.

    Raises:
        ConfigError: The strategy is made by one process.
    """
    if processes == 1:
        return
    if settings.strategy == "contrastive":
        why = "contrasts compare each text of a step with all others"
    elif settings.strategy == "head" and not is_words:
        why = "a head is fitted in one go"
    else:
        return
    raise ConfigError(
        f"{processes} processes cannot share this training: {why}",
        fix="leave out --processes, or use --strategy full",
        where="processes",
    )
