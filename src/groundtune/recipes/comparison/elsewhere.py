"""What is different in a comparison of a model behind an endpoint.

Its weights are not here, so only the arms of published weights are measured; it costs
money; and it can be away for a while, which must not become a score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.config.endpoint import is_remote
from groundtune.core.errors import ConfigError
from groundtune.core.values import ARMS, Usage
from groundtune.store.models import open_model
from groundtune.store.remote.failures import EndpointRefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from groundtune.config.compare import CompareSettings
    from groundtune.core.errors import GenerationError
    from groundtune.core.protocols import Progress
    from groundtune.store.catalog import ModelKind

_UNTRAINED_ARMS = ("plain", "rag")
_UNTRAINED = ("right_passage_base", "nearest_answer", "random_passages")


def made_with(spec: str, *, kind: ModelKind, progress: Progress) -> dict[str, Any]:
    """What a run remembers of a model; one on this machine is fetched if it must be.

    Raises:
        GroundtuneError: The model cannot be opened, or its name is wrong.
    """
    if is_remote(spec):
        from groundtune.store.remote.settings import open_remote_model

        return open_remote_model(spec).identity()
    model = open_model(spec, kind=kind, progress=progress)
    return {
        "name": model.name,
        "weights_sha256": model.weights_sha256,
        "licence": model.licence,
    }


def without_training(
    settings: CompareSettings, model: str, *, tell: Callable[[str], None]
) -> CompareSettings:
    """The settings, without what needs training where the generator is elsewhere.

    Raises:
        ConfigError: Arms were chosen that have to be trained.
    """
    if not is_remote(model):
        return settings
    trained = [arm for arm in settings.arms if arm not in _UNTRAINED_ARMS]
    if trained and settings.arms != ARMS:
        raise ConfigError(
            f"the arm {trained[0]} is trained, and the model's weights are elsewhere",
            fix="use --arms plain,rag, or a model on this machine",
            where="--arms",
        )
    if trained:
        tell("the model is behind an endpoint: only plain and rag are measured")
    return replace(
        settings,
        arms=tuple(arm for arm in settings.arms if arm in _UNTRAINED_ARMS),
        diagnostics=tuple(d for d in settings.diagnostics if d in _UNTRAINED),
    )


def cost_of(spec: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What the tokens of rows cost, as a figure for `resources.json`.

    Empty where the model is on this machine, or no price is known. Answers that failed,
    warm-up and the choice of a prompt are not counted.
    """
    if not is_remote(spec):
        return {}
    from groundtune.store.remote.settings import open_remote_model

    remote = open_remote_model(spec)
    prompt = output = 0
    for row in rows:
        prompt += row["prompt_tokens"]
        output += row["output_tokens"]
    cost = remote.cost(Usage(prompt_tokens=prompt, output_tokens=output))
    return {} if cost is None else {f"cost_{remote.settings.currency}": cost}


@dataclass(slots=True)
class Outage:
    """Tells a question that an endpoint cannot answer from an endpoint that is away.

    One question may time out by its own fault. Two in a row, or a refused key, are the
    endpoint's: then the work stops, and what is done stands.
    """

    _failed: bool = False

    def failed(self, error: GenerationError) -> None:
        """Hear of a question that the endpoint did not answer.

        Raises:
            EndpointError: It is the endpoint's fault.
        """
        if self._failed or isinstance(error, EndpointRefusalError):
            raise error
        self._failed = True

    def answered(self) -> None:
        """Hear of one that it did answer, if only by refusing it."""
        self._failed = False
