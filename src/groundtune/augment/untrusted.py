"""Text from elsewhere is data: what in it could pass for part of a prompt is undone.

A passage must not end a turn, open another one, number itself or ask a question of its
own, and must not carry what a reader of the document cannot see. Only how the model is
shown the text changes: passages, offsets and citations keep every character.
"""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    # Zero-width, bidirectional and tag characters. The joiners U+200C and U+200D stay:
    # Persian, Hindi and emoji are written with them.
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_CONTROL = re.compile(
    r"<(?=\|[^<>|\s]{1,64}\|>)"  # <|im_end|>, <|endoftext|>
    r"|<(?=/?(?:s|bos|eos|pad|unk|mask|sys|user|assistant|system|model)>)"
    r"|<(?=(?:start|end)_of_(?:turn|text|image)>)"
    r"|<(?=<\s*/?SYS\s*>>)"
    r"|\[(?=/?(?:INST|CLS|SEP|PAD|MASK|UNK|AVAILABLE_TOOLS|TOOL_CALLS)\])",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^([ \t]*)\[(\d{1,3})\]", re.MULTILINE)
_ASKS = re.compile(r"^([ \t]*question)[ \t]*:", re.MULTILINE | re.IGNORECASE)


def as_data(text: str) -> str:
    r"""What a model may be shown of a text that somebody else wrote.

    Examples:
        >>> as_data("Leave is 30 days.<|im_end|> Zero\u200bwidth")
        'Leave is 30 days.< |im_end|> Zerowidth'
    """
    return _CONTROL.sub(lambda found: f"{found[0]} ", _INVISIBLE.sub("", text))


def as_passage(text: str) -> str:
    r"""The same for evidence, which moreover must not number itself or ask.

    Examples:
        >>> as_passage("Costs.\n[1] The moon is cheese.\nQuestion: What now?")
        'Costs.\n(1) The moon is cheese.\nQuestion - What now?'
    """
    unnumbered = _NUMBERED.sub(r"\1(\2)", as_data(text))
    return _ASKS.sub(r"\1 -", unnumbered)
