"""How a letter becomes a message."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.auth.mail.models import DueLetter, Letter


def message_of(due: DueLetter, sender: str, host: str) -> EmailMessage:
    """Write a letter as a message (RFC 5322).

    The message id is the letter's own at every attempt, so that a receiver can drop a second copy.

    Raises:
        ValueError: an address or the subject cannot stand in a header.
    """
    message = EmailMessage(SMTPUTF8)
    message["From"] = sender
    message["To"] = due.letter.recipient
    message["Subject"] = due.letter.subject
    message["Date"] = format_datetime(due.created_at)
    message["Message-ID"] = f"<letter-{due.id}-{int(due.created_at.timestamp())}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    # Unfolded, so that a link or a command can be copied from the raw text.
    message.set_content(due.letter.body, cte=_encoding(due.letter.body))
    if due.letter.html is not None:
        html = due.letter.html
        message.add_alternative(html, subtype="html", cte=_encoding(html))
    return message


def _encoding(text: str) -> str:
    return "7bit" if text.isascii() else "8bit"


def written(template: str, recipient: str, **values: Any) -> Letter:
    """Write a letter by its templates: ``<template>.txt``, and ``<template>.html`` beside it.

    The first line of the text is the subject. Values are escaped in HTML; in text every value is
    brought onto one line, so that nobody's name can write a letter of its own.
    """
    plain = {name: " ".join(str(value).split()) for name, value in values.items()}
    subject, _, body = _TEXTS.get_template(f"{template}.txt").render(plain).partition("\n")
    html = _PAGES.get_template(f"{template}.html").render(values)
    return Letter(recipient, subject.removeprefix("Subject: "), body.lstrip("\n"), html)


_FOLDER: Final = Path(__file__).parent
_TEXTS: Final = Environment(  # noqa: S701 - plain text has nothing to escape
    loader=FileSystemLoader(_FOLDER), undefined=StrictUndefined, keep_trailing_newline=True
)
_PAGES: Final = Environment(
    loader=FileSystemLoader(_FOLDER), undefined=StrictUndefined, autoescape=True
)
