"""How a letter becomes a message."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime

from services.auth.mail.models import DueLetter


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
    message.set_content(due.letter.body, cte="7bit" if due.letter.body.isascii() else "8bit")
    return message
