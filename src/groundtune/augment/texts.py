"""Prompts of the tasks that write: a translation, or a reply to a customer.

Training, measuring and serving build their prompts here, so a model is never asked in
another form than it learned. Like those over documents (`prompt`), a prompt is two runs
of tokens: the head is the instruction that all cases share and training reads once, the
tail holds what is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundtune.augment.untrusted import as_data
from groundtune.core.errors import ModelLoadError
from groundtune.core.values import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.augment.chat import ChatTemplate
    from groundtune.core.protocols import Tokenizer

TEXT_PROMPT_VERSION = "texts-1"
"""Bump when any prompt text changes: tuned models remember it."""

REPLY_TO_CUSTOMER = (
    "You answer the customers of a company. Reply to the customer's last message."
)
"""Instruction of `support`; a conversation that brings its own keeps that."""

_CUT = "\u2063cut\u2063"
"""No white space: templates strip that from what is said."""
_LANGUAGES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nb": "Norwegian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "ta": "Tamil",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}


def language_name(code: str) -> str:
    """What a language is called in a prompt; empty where the code is not known.

    Examples:
        >>> language_name("pt-BR")
        'Portuguese'
    """
    return _LANGUAGES.get(code.lower().replace("_", "-").split("-")[0], "")


def translation_instruction(source: str, target: str) -> str:
    """The instruction of `translation`, with the names of languages where known.

    Args:
        source: Code of the language of the texts, such as `en`; may be empty.
        target: Code of the language to translate into; may be empty.

    Examples:
        >>> translation_instruction("en", "de")
        'Translate from English into German. Reply with the translation only.'
    """
    parts = ["Translate"]
    if name := language_name(source):
        parts.append(f"from {name}")
    if name := language_name(target):
        parts.append(f"into {name}")
    what = " ".join(parts) if len(parts) > 1 else "Translate the text"
    return f"{what}. Reply with the translation only."


class TextPrompt(NamedTuple):
    """Token ids for an engine."""

    head: tuple[int, ...]
    tail: tuple[int, ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        """The whole prompt."""
        return self.head + self.tail


class TextPromptBuilder:
    """Builds prompts for one model: its template, its tokenizer, one instruction."""

    def __init__(
        self, template: ChatTemplate, tokenizer: Tokenizer, *, instruction: str
    ) -> None:
        self.instruction = instruction
        self._template = template
        self._tokenizer = tokenizer

    def build(self, turns: Sequence[Message]) -> TextPrompt:
        """Build the prompt for one case.

        Args:
            turns: What the model may see, in order; begins with a system turn of its
                own, which then goes before the instruction, or with the first message.

        Raises:
            ModelLoadError: The template fails on these turns, or leaves them out.
            ValueError: There is no turn but of the system.
        """
        own = [turn for turn in turns if turn.role == "system"]
        said = [turn for turn in turns if turn.role != "system"]
        if not said:
            msg = "nothing is asked"
            raise ValueError(msg)
        system = own or [Message("system", self.instruction)]
        first = Message(said[0].role, _CUT + as_data(clean(said[0].content)))
        rest = [Message(turn.role, as_data(clean(turn.content))) for turn in said[1:]]
        text = self._template.render([*system, first, *rest])
        head, found, tail = text.partition(_CUT)
        if not found:
            raise ModelLoadError(
                "its chat template does not show what is said",
                fix="check chat_template.jinja in the model folder",
            )
        return TextPrompt(
            tuple(self._tokenizer.encode(head)), tuple(self._tokenizer.encode(tail))
        )

    def answer(self, text: str) -> tuple[int, ...]:
        """Tokens of what the model should say, without the end token."""
        return tuple(self._tokenizer.encode(clean(text)))


def clean(text: str) -> str:
    """Text with the line ends that models know, and no space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
