"""EML to text and blocks: the subject as a heading, who wrote when, then the body.

Of alternatives the plain text is read, or else the HTML. Attachments are named and not
opened.
"""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.compose import Composer
from groundtune.data.metadata import from_fields
from groundtune.data.read_html import read_page
from groundtune.data.read_text import paragraphs

if TYPE_CHECKING:
    from email.message import EmailMessage, Message, MIMEPart

_SHOWN = ("From", "To", "Cc", "Date")
_MAX_PARTS = 1000


def read_eml(raw: bytes, *, name: str, where: str) -> Document:
    """Read a message.

    Raises:
        DataError: It is empty, no message, nested too deeply, or holds no text.
    """
    if not raw.strip():
        raise DataError("empty file", fix="remove it, or save it again", where=where)
    try:
        message = email.message_from_bytes(raw, policy=email.policy.default)
        return _document(message, name=name, where=where)
    except RecursionError as error:
        raise DataError(
            "messages nested too deeply in it", fix="leave this file out", where=where
        ) from error


def _document(message: EmailMessage, *, name: str, where: str) -> Document:
    headers = {key: _header(message, key) for key in ("Subject", *_SHOWN)}
    if not any(headers.values()):
        raise DataError(
            "no message: it has neither sender, date nor subject",
            fix="save it again as EML, or give it the extension of what it is",
            where=where,
        )
    composer = Composer()
    composer.add("heading", headers["Subject"], level=1)
    lines = [f"{key}: {headers[key]}" for key in _SHOWN if headers[key]]
    attached: list[str] = []
    bodies = _bodies(message, attached, where=where)
    if attached:
        lines.append(f"Attachments: {', '.join(attached)}")
    composer.add("list" if len(lines) > 1 else "paragraph", "\n".join(lines))
    for subtype, content in bodies:
        if subtype == "html":
            page = read_page(content)
            composer.extend(page.text, page.blocks)
        else:
            text = content.replace("\r\n", "\n").strip("\n")
            composer.extend(text, paragraphs(text))
    fields = {"author": headers["From"], "date": headers["Date"], "to": headers["To"]}
    return Document(
        id=name,
        text=composer.text,
        title=headers["Subject"],
        blocks=tuple(composer.blocks),
        metadata={"path": name, "source_format": "eml", **from_fields(fields)},
    )


def _header(message: Message, key: str) -> str:
    """A header as one line; a malformed one as it stands, or empty."""
    try:
        return " ".join(str(message.get(key, "")).split())
    except (ValueError, LookupError, IndexError, TypeError, AttributeError):
        return ""


def _bodies(
    message: EmailMessage, attached: list[str], *, where: str
) -> list[tuple[str, str]]:
    """Subtype and text of the parts to read; names of the others go to `attached`."""
    found: list[tuple[str, str]] = []
    pending: list[MIMEPart] = [message]
    seen = 0
    while pending:
        part = pending.pop()
        seen += 1
        if seen > _MAX_PARTS:
            raise DataError(
                f"more than {_MAX_PARTS} parts", fix="leave this file out", where=where
            )
        if part.get_content_type() == "multipart/alternative":
            pending.extend(_preferred(part))
        elif part.is_multipart() and part.get_content_maintype() == "multipart":
            pending.extend(reversed(list(part.iter_parts())))
        elif part.get_content_maintype() == "text" and not part.is_attachment():
            found.append((part.get_content_subtype(), _content(part)))
        else:
            name = part.get_filename() or part.get_content_type()
            attached.append(" ".join(str(name).split()))
    return found


def _preferred(part: MIMEPart) -> list[MIMEPart]:
    """The one of several renderings to read: plain text, else the last."""
    parts = list(part.iter_parts())
    plain = [one for one in parts if one.get_content_type() == "text/plain"]
    return [*plain, *reversed(parts)][:1]


def _content(part: MIMEPart) -> str:
    """The text of a part, in the character set that it names if that exists."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")
