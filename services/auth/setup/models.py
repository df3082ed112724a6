"""The first administrator, on the wire (runs contract, section 3.2)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.auth.accounts.models import LONGEST_PASSWORD, Email
from services.auth.sessions.models import Code
from shared.api import Answer, Body


class SetupState(Answer):
    """``GET /api/v1/auth/setup``: true while nobody administers the installation."""

    needs_setup: bool


class Setup(Body):
    """``POST /api/v1/auth/setup``; ``code`` is of an account that has a second factor already."""

    email: Email
    password: Annotated[str, Field(max_length=LONGEST_PASSWORD, repr=False)]
    code: Annotated[Code | None, Field(repr=False)] = None
