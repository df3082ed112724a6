"""The waitlist on the wire (learnings contract, section 3.2)."""

from __future__ import annotations

from datetime import datetime

from services.auth.accounts.models import Email
from shared.api import Answer, Body


class Request(Body):
    """``POST /v1/waitlist``."""

    email: Email


class Joined(Answer):
    """The same for a new address and for a known one."""

    joined: bool = True


class WaitingPerson(Answer):
    """One row of ``GET /v1/admin/waitlist``."""

    id: str
    email: str
    signed_up_at: datetime
    converted_at: datetime | None


class Converted(Answer):
    """What a waiting person got; ``key`` is shown once."""

    user_id: str
    org_id: str
    key: str
