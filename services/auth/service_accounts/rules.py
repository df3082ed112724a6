"""Which passwords service accounts may have, and what an edit changes."""

from __future__ import annotations

import unicodedata

from services.auth.service_accounts.models import (
    CURRENT,
    KNOWN_PASSWORDS,
    SHORTEST_PASSWORD,
    ServiceAccountEdit,
)
from shared.errors import BadRequest, Invalid


def is_known(name: str, password: str) -> bool:
    """Tell whether a password is one that everybody tries first."""
    return password == name or password.casefold() in KNOWN_PASSWORDS


def check_password(name: str, password: str, field: str, *, is_development: bool) -> None:
    """Check a password that is to be set (agents contract, section 4.1).

    Raises:
        Invalid: naming the field.
    """
    if is_development:
        return
    if len(unicodedata.normalize("NFKC", password)) < SHORTEST_PASSWORD:
        message = f"a password needs at least {SHORTEST_PASSWORD} characters"
        raise Invalid.field("body", field, msg=message, type="string_too_short")
    if is_known(name, password):
        raise Invalid.field("body", field, msg="everybody knows this password")


def check_name(name: str) -> None:
    """Check that a name means nobody else.

    Raises:
        Invalid: it stands for whoever is calling.
    """
    if name == CURRENT:
        raise Invalid.field("body", "user", msg=f"{CURRENT} stands for the caller")


def changed_fields(edit: ServiceAccountEdit) -> frozenset[str]:
    """Give the fields that an edit changes: a null clears a description, and is nothing elsewhere.

    Raises:
        BadRequest: none.
    """
    changed = frozenset(
        name
        for name in edit.model_fields_set
        if name == "description" or getattr(edit, name) is not None
    )
    if not changed:
        raise BadRequest("No fields to update")
    return changed
