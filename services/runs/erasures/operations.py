"""What is erased with an account or an organization.

Suites, runs and issues are their organization's: they stay when somebody goes, without a word of
who that was. Erasures run one after the other; a second time finds nothing and answers again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.runs.analytics import operations as analytics
from services.runs.artifacts import operations as artifacts
from services.runs.checks import operations as checks
from services.runs.deliveries import operations as deliveries
from services.runs.erasures import store
from services.runs.errands import operations as errands
from services.runs.integrations import operations as integrations
from services.runs.issues import operations as issues
from services.runs.plans import operations as plans
from services.runs.resolutions import operations as resolutions
from services.runs.runs import operations as runs
from services.runs.suites import operations as suites
from services.runs.trackers import operations as trackers
from shared.bus import outbox
from shared.contracts.runs import ErasureCompleted
from shared.db import Connection

OF_AN_ORGANIZATION: Final = (
    # Before runs: nothing starts new ones then.
    plans.forget_organization,
    runs.forget_organization,
    suites.forget_organization,
    artifacts.forget_organization,
    resolutions.forget_organization,
    trackers.forget_organization,
    issues.forget_organization,
    analytics.forget_organization,
    checks.forget_organization,
    integrations.forget_organization,
    errands.forget_organization,
    deliveries.forget_organization,
)
"""What holds something of an organization, each in its turn."""

OF_AN_ACCOUNT: Final = (
    plans.forget_account,
    runs.forget_account,
    suites.forget_account,
    resolutions.forget_account,
    issues.forget_account,
    checks.forget_account,
)
"""What names a person."""


async def forget_account(
    connection: Connection, account_id: str, org_ids: Sequence[str] = ()
) -> None:
    """Forget a person, and the organizations that went along. Says erasure.completed.

    Args:
        connection: in the transaction of the inbox.
        account_id: the person's.
        org_ids: of those organizations.
    """
    await store.take_turn(connection)
    for org_id in org_ids:
        await forget_organization(connection, org_id)
    for forget in OF_AN_ACCOUNT:
        await forget(connection, account_id)
    await outbox.add(connection, ErasureCompleted(account_id=account_id))


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Forget all that an organization had."""
    await store.take_turn(connection)
    for forget in OF_AN_ORGANIZATION:
        await forget(connection, org_id)
