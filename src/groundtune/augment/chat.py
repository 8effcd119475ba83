"""A model's own chat template, rendered in a sandbox.

The template is untrusted text from a model folder: it runs in Jinja's immutable
sandbox and sees only the messages. Which messages to send is `prompt.py`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from groundtune.core.errors import ModelLoadError
from groundtune.core.fingerprint import text_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import Message


class ChatTemplate:
    """Turns messages into the text that the model was trained on."""

    def __init__(self, source: str, *, where: str = "") -> None:
        """Compile the template.

        Args:
            source: Jinja source, as `chat_template.jinja` holds it.
            where: The model's name, for error messages.

        Raises:
            ModelLoadError: It is empty or not a template.
        """
        self.source = source
        self._where = where
        if not source.strip():
            raise ModelLoadError(
                "the model has no chat template",
                fix="use an instruction-tuned model, or add chat_template.jinja",
                where=where,
            )
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        known: dict[str, Any] = environment.globals
        known["raise_exception"] = _refuse
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise self._broken(error) from error

    @property
    def sha256(self) -> str:
        """Hash by which a tuned model remembers what it was trained with."""
        return text_sha256(self.source)

    def render(self, messages: Sequence[Message]) -> str:
        """Text of the conversation, up to where the assistant begins to speak.

        Raises:
            ModelLoadError: The template fails on these messages.
        """
        turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        try:
            return self._template.render(messages=turns, add_generation_prompt=True)
        except TemplateError as error:
            raise self._broken(error) from error

    def _broken(self, error: TemplateError) -> ModelLoadError:
        return ModelLoadError(
            f"its chat template fails: {error.message or error}",
            fix="check chat_template.jinja in the model folder",
            where=self._where,
        )


def _refuse(message: str) -> NoReturn:
    """What templates call to reject a conversation."""
    raise TemplateError(message)
