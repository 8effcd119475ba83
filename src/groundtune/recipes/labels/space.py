"""What a search over the settings of a label model may try.

Each strategy is tried with its own settings as they stand first; around them, the rate
of learning, the epochs, and what belongs to that strategy alone are varied.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.config.encoder import STRATEGIES, EncoderSettings, default_settings
from groundtune.core.fingerprint import fingerprint
from groundtune.recipes.labels.settings import OF_A_FITTED_HEAD, with_changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Trial

_RATES = (0.2, 4.0)
"""Lowest and highest rate, as factors on the one that stands now."""
_EPOCHS = (0.4, 2.0)
_DIGITS = 3
_CHOICES: dict[str, dict[str, tuple[Any, ...]]] = {
    "full": {"layer_decay": (1.0, 0.9, 0.75), "label_smoothing": (0.0, 0.1)},
    "lora": {"rank": (4, 8, 16, 32, 64)},
    "dora": {"rank": (4, 8, 16, 32, 64)},
    "contrastive": {"temperature": (0.05, 0.1, 0.2)},
    "head": {"label_smoothing": (0.0, 0.05, 0.1, 0.2)},
}
"""Strategy to setting to choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What may be tried. The first of `starts` is what stands without a search."""

    starts: tuple[EncoderSettings, ...]
    """One for each strategy."""
    fixed: tuple[str, ...] = ()
    """Settings that a person gave, which are not varied."""
    is_words: bool = False

    def planned(self) -> list[dict[str, Any]]:
        """The points of `starts`, which are tried before any other."""
        return [
            {
                "strategy": start.strategy,
                **{
                    f"{start.strategy}.{name}": getattr(start, name)
                    for name in (*self._ranges(start), *self._choices(start))
                },
            }
            for start in self.starts
        ]

    def suggest(self, trial: Trial) -> EncoderSettings:
        """The settings that a trial is to try."""
        names = [start.strategy for start in self.starts]
        strategy = trial.suggest_categorical("strategy", names)
        start = self.starts[names.index(strategy)]
        changed: dict[str, Any] = {}
        for name, (low, high) in self._ranges(start).items():
            value = trial.suggest_float(f"{strategy}.{name}", low, high, log=True)
            changed[name] = float(f"{value:.{_DIGITS}g}")
        for name, choices in self._choices(start).items():
            changed[name] = trial.suggest_categorical(f"{strategy}.{name}", choices)
        if "rank" in changed and "alpha" not in self.fixed:
            # An update as large as before, however many directions it has.
            changed["alpha"] = round(changed["rank"] * start.alpha / start.rank)
        return replace(start, **changed)

    def varied(self, settings: EncoderSettings) -> dict[str, Any]:
        """Of some settings, those that a search varies."""
        start = next(s for s in self.starts if s.strategy == settings.strategy)
        names = (*self._ranges(start), *self._choices(start))
        return {name: getattr(settings, name) for name in names}

    def points(self) -> float:
        """How many settings there are in all; infinite where one is a range."""
        total = 0.0
        for start in self.starts:
            if self._ranges(start):
                return float("inf")
            count = 1
            for choices in self._choices(start).values():
                count *= len(choices)
            total += count
        return total

    def _ranges(self, start: EncoderSettings) -> dict[str, tuple[float, float]]:
        is_fitted = start.strategy == "head" and not self.is_words
        if is_fitted:
            return {}
        rate = "head_rate" if start.strategy == "head" else "learning_rate"
        found: dict[str, tuple[float, float]] = {}
        for name, (low, high) in ((rate, _RATES), ("epochs", _EPOCHS)):
            if name not in self.fixed:
                value = getattr(start, name)
                found[name] = (low * value, high * value)
        return found

    def _choices(self, start: EncoderSettings) -> dict[str, tuple[Any, ...]]:
        """What stands now is among the choices, and comes first."""
        found: dict[str, tuple[Any, ...]] = {}
        for name, choices in _CHOICES[start.strategy].items():
            if name not in self.fixed:
                now = getattr(start, name)
                found[name] = (now, *(one for one in choices if one != now))
        return found


def search_space(
    chosen: EncoderSettings,
    *,
    is_auto: bool,
    is_words: bool,
    changes: Mapping[str, str],
) -> Space:
    """What may be tried around the settings that would be trained with.

    Args:
        chosen: Those settings.
        is_auto: Whether the strategy is free as well. DoRA is LoRA at half its speed,
            and contrasts take as many passes of all texts as full training: they are
            tried where they are asked for, or chosen for want of examples.
        is_words: Whether words are labelled, rather than whole texts.
        changes: Settings as a person wrote them; they stay.
    """
    others: list[EncoderSettings] = []
    if is_auto:
        for strategy in STRATEGIES:
            if strategy in {chosen.strategy, "dora", "contrastive"}:
                continue
            if strategy == "head" and is_words:
                continue
            start = default_settings(strategy)
            applying = {
                name: value
                for name, value in changes.items()
                if strategy != "head" or is_words or name in OF_A_FITTED_HEAD
            }
            others.append(with_changes(start, applying, is_words=is_words))
    return Space(
        starts=(chosen, *others), fixed=tuple(sorted(changes)), is_words=is_words
    )


def name_of(settings: EncoderSettings) -> str:
    """Equal for equal settings."""
    return fingerprint(asdict(settings))
