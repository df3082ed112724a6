"""Use cases of accounts, by topic."""

from __future__ import annotations

from services.auth.accounts.operations.addresses import confirm_email, request_email
from services.auth.accounts.operations.login import (
    WRONG_PASSWORD,
    authenticate,
    prove_password,
    require_unchanged,
)
from services.auth.accounts.operations.profile import (
    list_memberships,
    read_user,
    update_user,
)
from services.auth.accounts.operations.registration import (
    admit,
    ensure_administrator,
    register,
    resend_verification,
    sweep,
    verify_email,
)
from services.auth.accounts.operations.standing import (
    delete,
    disable,
    enable,
    find,
    find_by_email,
    find_proved,
    keep_an_administrator,
    lock,
    note_proved,
    set_password,
)
from services.auth.accounts.rules import email_key

__all__ = [
    "WRONG_PASSWORD",
    "admit",
    "authenticate",
    "confirm_email",
    "delete",
    "disable",
    "email_key",
    "enable",
    "ensure_administrator",
    "find",
    "find_by_email",
    "find_proved",
    "keep_an_administrator",
    "list_memberships",
    "lock",
    "note_proved",
    "prove_password",
    "read_user",
    "register",
    "request_email",
    "require_unchanged",
    "resend_verification",
    "set_password",
    "sweep",
    "update_user",
    "verify_email",
]
