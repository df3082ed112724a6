"""Second factors on the wire and in rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from services.auth.accounts.models import LONGEST_PASSWORD
from shared.api import Answer, Body

Password = Annotated[str, Field(max_length=LONGEST_PASSWORD, repr=False)]


class Enrolment(Answer):
    """A secret to put into an authenticator; pending until a first code proves that it is there.

    ``qr_svg`` shows ``otpauth_uri`` to a camera.
    """

    secret: str
    otpauth_uri: str
    qr_svg: str


class Disabling(Body):
    """``POST /v1/auth/2fa/disable``; a code is not needed, but must be right if it is there."""

    password: Password
    code: Annotated[str | None, StringConstraints(max_length=40), Field(repr=False)] = None


class Disabled(Answer):
    """The second factor is off."""

    disabled: bool = True


class NewCodes(Body):
    """``POST /v1/auth/2fa/recovery-codes``."""

    password: Password


class RecoveryCodes(Answer):
    """Recovery codes as shown once; each is good once, wherever a code is asked for."""

    recovery_codes: list[str]


class TwoFactorState(Answer):
    """Whether the second factor is on, and how many recovery codes are left."""

    enabled: bool
    recovery_codes_left: int


@dataclass(frozen=True, slots=True, repr=False)
class Factor:
    """An account's second factor, pending or confirmed.

    Attributes:
        account_id: whose.
        email: where letters about it go.
        sealed_secret: the TOTP secret, encrypted.
        is_confirmed: whether a first code proved it.
        last_step: the newest time step that was used.
    """

    account_id: str
    email: str
    sealed_secret: bytes
    is_confirmed: bool
    last_step: int
