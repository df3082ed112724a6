"""What pages read. All fields are optional: a page says itself what is missing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.api import Body, Query

Secret = Annotated[str, Field(repr=False)]


class Nothing(Body):
    """A form of a button alone."""


class TargetQuery(Query):
    """Where a login leads to; ``code`` may stand beside the path (teams contract, section 7)."""

    redirect_to: str = ""
    code: str = ""
    auto: str = ""
    remember: str = ""


class LogIn(Body):
    """``POST /users/log-in``; ``by`` is ``link`` for a letter instead of a password."""

    email: str = ""
    password: Secret = ""
    remember: str = ""
    by: str = ""
    redirect_to: str = ""
    code: str = ""
    auto: str = ""


class CompleteLogIn(Body):
    """``POST /users/complete-login``; ``totp`` is of the second factor, ``code`` a device's."""

    totp: Secret = ""
    remember: str = ""
    redirect_to: str = ""
    code: str = ""
    auto: str = ""


class Register(Body):
    """``POST /users/register``."""

    email: str = ""
    password: Secret = ""
    name: str = ""


class Forgotten(Body):
    """``POST /users/forgot-password``."""

    email: str = ""


class ResetPassword(Body):
    """``POST /users/reset-password/{token}``."""

    new_password: Secret = ""


class DeviceQuery(Query):
    """``GET /device`` and ``GET /auth/verify``."""

    code: str = ""
    auto: str = ""


class DeviceForm(Body):
    """``POST /device``; ``choice`` is ``allow`` or ``deny``."""

    code: str = ""
    choice: str = ""
    org_id: str = ""
    machine_name: str = ""


class DoneQuery(Query):
    """What was just done, so that the page can say so."""

    done: str = ""


class NewName(Body):
    """``POST /users/settings/name``."""

    name: str = ""


class NewPassword(Body):
    """``POST /users/update-password``."""

    current_password: Secret = ""
    new_password: Secret = ""


class SessionForm(Body):
    """``POST /users/settings/sessions/end``."""

    session_id: str = ""


class MachineForm(Body):
    """``POST /users/settings/machines/revoke``."""

    token: Secret = ""


class SecondFactor(Body):
    """The forms about the second factor; each reads what it needs."""

    password: Secret = ""
    totp: Secret = ""


class Invited(Query):
    """``GET /accept-invite``."""

    token: Secret = ""


class AcceptForm(Body):
    """``POST /accept-invite``."""

    token: Secret = ""
    password: Secret = ""
    name: str = ""
    totp: Secret = ""
