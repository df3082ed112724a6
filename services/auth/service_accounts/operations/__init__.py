"""Use cases of service accounts, and of logins on the agents surface."""

from __future__ import annotations

from services.auth.service_accounts.operations.accounts import (
    change_password,
    create,
    delete,
    list_all,
    read,
    update,
)
from services.auth.service_accounts.operations.bootstrap import ensure_bootstrap
from services.auth.service_accounts.operations.logins import (
    SESSION_PREFIX,
    check_session,
    log_in,
    log_out,
    login_answer,
    login_subject,
    open_subject_session,
    read_me,
    sweep,
)

__all__ = [
    "SESSION_PREFIX",
    "change_password",
    "check_session",
    "create",
    "delete",
    "ensure_bootstrap",
    "list_all",
    "log_in",
    "log_out",
    "login_answer",
    "login_subject",
    "open_subject_session",
    "read",
    "read_me",
    "sweep",
    "update",
]
