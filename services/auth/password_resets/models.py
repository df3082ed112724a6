"""Losing, setting and changing passwords on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from services.auth.accounts.models import LONGEST_PASSWORD, LONGEST_TOKEN, Email
from shared.api import Answer, Body

Password = Annotated[str, Field(max_length=LONGEST_PASSWORD)]

Check = Callable[[str, str], None]
"""Checks a new password for an address in the words of a surface."""


class Forgotten(Body):
    """``POST /v1/auth/forgot-password`` and ``/request-password-reset``."""

    email: Email


class NewPassword(Body):
    """``POST /v1/auth/reset-password``."""

    token: Annotated[str, Field(max_length=LONGEST_TOKEN, repr=False)]
    new_password: Annotated[Password, Field(repr=False)]


class Reset(Answer):
    """The new password holds."""

    reset: bool = True


class PasswordChange(Body):
    """``POST /v1/auth/password``."""

    current_password: Annotated[Password, Field(repr=False)]
    new_password: Annotated[Password, Field(repr=False)]


class RunsPasswordChange(Body):
    """``POST /api/v1/auth/password``."""

    current: Annotated[Password, Field(repr=False)]
    new: Annotated[Password, Field(repr=False)]


class Changed(Answer):
    """The new password holds, and every other session has ended."""

    changed: bool = True


class Done(Answer):
    """The same as the runs surface says it."""

    ok: bool = True
