"""Who may change whom."""

from __future__ import annotations

from collections.abc import Sequence

from services.auth.users.models import Intent, Standing, UserChange
from shared.errors import Conflict, Forbidden
from shared.principal import Role


def check(
    caller: Standing, target: Standing, intent: Intent, platform_admins: Sequence[str]
) -> None:
    """Check that a member of an organization may be changed so by another, as both stand now.

    Args:
        caller: who asks; their role may have changed since their token was made.
        target: whom it is about; may be the caller.
        intent: what is to be done.
        platform_admins: the ids of those who administer the installation and can act.

    Raises:
        Forbidden: the caller's rights do not reach that far.
        Conflict: nobody would be left who administers, or the account is not only this
            organization's.
    """
    if target.platform_admin and not caller.platform_admin:
        raise Forbidden("Only a platform administrator may change a platform administrator")
    if target.role == Role.OWNER and not (caller.role == Role.OWNER or caller.platform_admin):
        raise Forbidden("Only an owner may change an owner")
    loses_role = intent.removed or intent.role == Role.MEMBER
    if target.is_admin and (loses_role or intent.disabled) and not target.other_admins:
        raise Conflict(
            "The last administrator of an organization cannot be removed, disabled or demoted"
        )
    if ends_platform_role(target, intent) and list(platform_admins) == [target.account_id]:
        raise Conflict("The last platform administrator cannot be removed, disabled or demoted")
    is_account_wide = intent.disabled is not None or intent.renamed
    if is_account_wide and target.elsewhere and not caller.platform_admin:
        raise Conflict(
            "This account belongs to other organizations too: only remove it from this one"
        )


def check_caller(caller: Standing | None) -> Standing:
    """Check that whoever asks is an administrator still, since their token was made.

    Raises:
        Forbidden: they are not.
    """
    if caller is None or caller.disabled or not (caller.is_admin or caller.platform_admin):
        raise Forbidden("Admin role required")
    return caller


def intent_of(target: Standing, change: UserChange) -> Intent:
    """Tell what a change would change; a role sent back as it was shown is none."""
    shown = shown_role(target.role, target.platform_admin)
    return Intent(
        role=change.role if change.role != shown else None,
        disabled=change.disabled if change.disabled is not target.disabled else None,
        renamed=change.name is not None,
    )


def ends_platform_role(target: Standing, intent: Intent) -> bool:
    """Tell whether a platform administrator would be none any more, or one who cannot act."""
    is_stranded = intent.removed and not target.elsewhere
    is_demoted = intent.role == Role.MEMBER
    return target.platform_admin and (is_stranded or is_demoted or bool(intent.disabled))


def shown_role(role: str, platform_admin: bool) -> str:
    """Name a role as the surface does: a platform administrator is an admin everywhere."""
    return Role.ADMIN if platform_admin else role


def name_in(email: str) -> str:
    """Give what to call a person of whom only the address is known."""
    return email.partition("@")[0]
