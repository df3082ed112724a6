"""Use cases of sessions: signing in, renewing, signing out, and whether a session still holds."""

from __future__ import annotations

from services.auth.sessions.operations.desk import (
    DAY,
    LEARNINGS,
    Desk,
    exchange_key,
    open_session,
    prove,
    sign_for,
    sign_in,
    sign_in_by_challenge,
)
from services.auth.sessions.operations.ending import (
    end_all,
    end_one,
    end_others,
    end_own,
    sign_out,
)
from services.auth.sessions.operations.renewal import renew
from services.auth.sessions.operations.standing import (
    SessionChecks,
    check,
    list_sessions,
    sweep,
)

__all__ = [
    "DAY",
    "LEARNINGS",
    "Desk",
    "SessionChecks",
    "check",
    "end_all",
    "end_one",
    "end_others",
    "end_own",
    "exchange_key",
    "list_sessions",
    "open_session",
    "prove",
    "renew",
    "sign_for",
    "sign_in",
    "sign_in_by_challenge",
    "sign_out",
    "sweep",
]
