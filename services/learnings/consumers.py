"""The event door: what learnings hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.learnings.company import operations as company
from services.learnings.erasures import operations as erasures
from services.learnings.learnings import operations as learnings
from services.learnings.organizations import operations as organizations
from shared.bus import Subscription
from shared.contracts.auth import AccountDeleted, OrganizationCreated, OrganizationDeleted
from shared.contracts.learnings import LearningChanged, LearningRetired
from shared.contracts.runs import IssueClosed
from shared.db import Connection
from shared.service import Resources


async def on_organization_created(connection: Connection, event: OrganizationCreated) -> None:
    """Keep the organization's name."""
    await organizations.note_created(
        connection,
        org_id=event.org_id,
        name=event.name,
        slug=event.slug,
        said_at=event.occurred_at,
    )


async def on_organization_deleted(connection: Connection, event: OrganizationDeleted) -> None:
    """Forget the organization."""
    await erasures.forget_organization(connection, event.org_id)


async def on_account_deleted(connection: Connection, event: AccountDeleted) -> None:
    """Forget who wrote, and what went along."""
    await erasures.forget_account(connection, event.account_id, event.org_ids)


async def on_issue_closed(connection: Connection, event: IssueClosed) -> None:
    """Learn from an issue whose cause was found out."""
    if not await organizations.is_forgotten(connection, event.org_id):
        await learnings.record_issue(connection, event)


async def follow_learning(connection: Connection, event: LearningChanged | LearningRetired) -> None:
    """Bring the copy that other organizations have up to date, if there is one."""
    await company.follow(connection, event.org_id, event.learning_id)


ERASURE_TIMEOUT_S: Final = 600.0
"""Somebody may have written for years."""

SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("note_organization", OrganizationCreated, on_organization_created),
    Subscription(
        "forget_organization",
        OrganizationDeleted,
        on_organization_deleted,
        timeout_s=ERASURE_TIMEOUT_S,
    ),
    Subscription("forget_account", AccountDeleted, on_account_deleted, timeout_s=ERASURE_TIMEOUT_S),
    Subscription("learn_from_issue", IssueClosed, on_issue_closed),
    Subscription("follow_changed", LearningChanged, follow_learning),
    Subscription("follow_retired", LearningRetired, follow_learning),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
