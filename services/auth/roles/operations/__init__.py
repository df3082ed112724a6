"""Use cases of roles, and the permission decisions of the agents surface that auth makes."""

from __future__ import annotations

from services.auth.roles.operations.access import (
    PERSON_TYPES,
    SERVICE_ACCOUNT_TYPES,
    Access,
    Change,
    advance,
    deny_keys,
    held_by_account,
    holder_of,
    lock,
    require,
    require_bound,
)
from services.auth.roles.operations.roles import (
    binding_ended,
    create,
    delete,
    ensure_seeds,
    find_by_name,
    list_all,
    read,
    standings,
)
from services.auth.roles.rules import (
    covers,
    gives_everything,
    is_takeover_safe,
)

__all__ = [
    "PERSON_TYPES",
    "SERVICE_ACCOUNT_TYPES",
    "Access",
    "Change",
    "advance",
    "binding_ended",
    "covers",
    "create",
    "delete",
    "deny_keys",
    "ensure_seeds",
    "find_by_name",
    "gives_everything",
    "held_by_account",
    "holder_of",
    "is_takeover_safe",
    "list_all",
    "lock",
    "read",
    "require",
    "require_bound",
    "standings",
]
