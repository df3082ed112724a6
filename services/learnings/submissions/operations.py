"""Taking in what users write."""

from __future__ import annotations

import math
from typing import Final

from services.learnings.submissions import rules, store
from services.learnings.submissions.models import (
    ID_PREFIX,
    NewSubmission,
    Submission,
    SubmissionQuery,
    SubmissionReceipt,
)
from shared.db import Database
from shared.errors import Forbidden, RateLimited
from shared.ids import new_id
from shared.pagination import TOTAL_CAP, Page, page_of
from shared.principal import Principal

HOURLY: Final = 20
"""Submissions of one caller within an hour."""


async def submit(
    database: Database, principal: Principal, body: NewSubmission
) -> SubmissionReceipt:
    """Store a submission, or find the same one of the last 24 hours.

    Raises:
        Forbidden: the caller acts in no organization.
        RateLimited: the caller sent too many within an hour.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    new = rules.written(body, principal, new_id(ID_PREFIX))
    async with database.transaction() as connection:
        await store.lock(connection, new.org_id, new.principal)
        known = await store.find_repeat(connection, new.org_id, new.principal, new.digest)
        if known is not None:
            return SubmissionReceipt(submission_id=known)
        seconds = await store.wait(connection, new.org_id, new.principal, HOURLY)
        if seconds:
            raise RateLimited(math.ceil(seconds))
        await store.insert(connection, new)
    return SubmissionReceipt(submission_id=new.id)


async def page(
    database: Database, principal: Principal, query: SubmissionQuery
) -> Page[Submission]:
    """Give a page of all submissions, newest first.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    if not principal.is_platform_admin:
        raise Forbidden("Admin role required")
    async with database.connection() as connection:
        items = await store.list_all(connection, query.category, query.page_size, query.offset)
        total = await store.count_all(connection, query.category, TOTAL_CAP)
    return page_of(items, total, query)
