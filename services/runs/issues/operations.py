"""Filing what runs found, and working with the board (runs contract, sections 3.6 and 11).

Whoever files holds the organization's board, and then the issues it knows, in the order of their
numbers; so two runs that find the same at once make one issue, and never wait crosswise. People
who change an issue hold that issue alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.runs.issues import rules
from services.runs.issues.models import (
    COMMENT_PREFIX,
    LONGEST_TEXT,
    MOST_COMMENTS,
    Comment,
    Editable,
    External,
    Filed,
    Filing,
    Finding,
    Issue,
    IssueChange,
    IssueItem,
    IssueQuery,
    NewComment,
    Place,
    Standing,
    Telling,
    key_of,
)
from services.runs.issues.store import board, filing
from services.runs.issues.store.board import delete_all as forget_organization
from services.runs.issues.store.board import delete_filings as forget_run
from services.runs.issues.store.board import forget_author as forget_account
from shared.bus import outbox
from shared.contracts.runs import IssueClosed, IssueOpened, IssueRecurred
from shared.db import Connection, Database
from shared.errors import LimitExceeded, NotFound
from shared.ids import new_id
from shared.log import get_logger
from shared.pagination import TOTAL_CAP, OffsetPage
from shared.principal import Principal

__all__ = ("forget_account", "forget_organization", "forget_run", "key_of")

PROVIDER: Final = "tripwire"
"""The word of ``file_issues`` for the built-in board."""

BODY: Final = "body_md"

log = get_logger()


async def file(
    connection: Connection,
    org_id: str,
    *,
    report: Mapping[str, Any],
    run_id: str,
    words: Sequence[str],
) -> Filed:
    """File what a run found, each case once however often this is said.

    Runs in the transaction of the caller, at a run's end. A failure that is known gets one more
    occurrence and a comment, and is opened again if it was closed. Says issue.opened and
    issue.recurred.

    Args:
        connection: in a transaction.
        org_id: of the run.
        report: of the run, as section 8.3 has it.
        run_id: of the run.
        words: of ``file_issues``; the board is the root of the others, so that all but ``none``
            mean it, too.
    """
    findings = rules.findings_of(report, run_id) if "none" not in words else []
    if not findings:
        return Filed([], {})
    place = Place(
        org_id, run_id, rules.clean(report.get("suite_id")), rules.clean(report.get("file"))
    )
    last_number = await filing.lock_board(connection, org_id)
    before = await filing.list_filings(connection, org_id, run_id)
    done = {one.case_id for one in before}
    new = [one for one in findings if one.case_id not in done]
    return _told([*before, *(await _file(connection, place, last_number, new))])


async def _file(
    connection: Connection, place: Place, last_number: int, findings: Sequence[Finding]
) -> list[Filing]:
    if not findings:
        return []
    by_hash = {rules.hash_of(one.fingerprint): one for one in findings}
    known = await filing.lock_known(connection, place.org_id, list(by_hash))
    again = {one.number: by_hash.pop(one.fingerprint_hash) for one in known}
    opened = dict(enumerate(by_hash.values(), last_number + 1))
    if opened:
        texts = [
            rules.words_of(number, one.title, place.suite_id, one.case_id, place.file)
            for number, one in opened.items()
        ]
        await filing.insert(connection, place, max(opened), opened, list(by_hash), texts)
    if again:
        ids = [new_id(COMMENT_PREFIX) for _ in again]
        await filing.recur(connection, place, again, ids, MOST_COMMENTS)
    filings = [
        Filing(one.case_id, number, one.fingerprint, is_new)
        for is_new, group in ((True, opened), (False, again))
        for number, one in group.items()
    ]
    await filing.note_filings(connection, place.org_id, place.run_id, filings)
    await outbox.add_all(
        connection,
        [
            *(_opened(place, number, one) for number, one in opened.items()),
            *(_recurred(place, one, again[one.number]) for one in known),
        ],
    )
    log.info("issues filed", run_id=place.run_id, opened=len(opened), again=len(again))
    return filings


def filed_in(report: Mapping[str, Any] | None) -> list[tuple[int, str]]:
    """Give what a report says was filed here: numbers of issues and their cases."""
    found = []
    for one in (report or {}).get("issues_filed") or ():
        key, case_id = one.get("key"), one.get("case_id")
        if one.get("provider") == PROVIDER and isinstance(key, str) and isinstance(case_id, str):
            number = rules.number_of(key)
            found += [] if number is None else [(number, case_id)]
    return found


async def tell(
    connection: Connection,
    org_id: str,
    number: int,
    *,
    run_id: str,
    case_id: str,
    report: Mapping[str, Any] | None,
) -> Telling | None:
    """Give what other trackers are told of an issue; None if it is gone.

    Args:
        connection: to the service's database.
        org_id: whose.
        number: of the issue.
        run_id: that saw it.
        case_id: in which it was seen.
        report: of the run, if it is there.
    """
    issue = await board.find(connection, org_id, number)
    if issue is None:
        return None
    found = rules.findings_of(report, run_id) if report is not None else []
    comments = [one.comment for one in found if one.case_id == case_id]
    return Telling(
        issue.id,
        issue.fingerprint,
        issue.title,
        issue.severity,
        issue.body_md,
        comments[0] if comments else f"Seen again in run `{run_id}`.",
    )


async def note_external(
    connection: Connection, org_id: str, number: int, external: External
) -> None:
    """Note where an issue stands in another tracker; of each provider there is the newest.

    Args:
        connection: in a transaction.
        org_id: whose.
        number: of the issue; one that is gone is left so.
        external: where.
    """
    known = await board.lock_external(connection, org_id, number)
    if known is not None and external not in known:
        others = [one for one in known if one.provider != external.provider]
        await board.write_external(connection, org_id, number, [*others, external])


def _opened(place: Place, number: int, finding: Finding) -> IssueOpened:
    return IssueOpened(
        org_id=place.org_id,
        issue_id=key_of(number),
        run_id=place.run_id,
        suite=place.suite_id,
        case=finding.case_id,
        title=finding.title,
        fingerprint=finding.fingerprint,
        severity=finding.severity,
        version=1,
    )


def _recurred(place: Place, issue: Standing, finding: Finding) -> IssueRecurred:
    return IssueRecurred(
        org_id=place.org_id,
        issue_id=key_of(issue.number),
        run_id=place.run_id,
        suite=place.suite_id,
        case=finding.case_id,
        title=issue.title,
        fingerprint=finding.fingerprint,
        severity=issue.severity,
        occurrences=issue.occurrences + 1,
        reopened=issue.status == "closed",
        version=issue.version + 1,
    )


def _told(filings: Sequence[Filing]) -> Filed:
    filed = [
        {
            "provider": PROVIDER,
            "key": key_of(one.number),
            "url": f"/api/v1/issues/{key_of(one.number)}",
            "case_id": one.case_id,
            "created": one.is_new,
        }
        for one in filings
    ]
    by_case = {
        one.case_id: {
            "id": key_of(one.number),
            "fingerprint": one.fingerprint,
            "created": one.is_new,
        }
        for one in filings
    }
    return Filed(filed, by_case)


async def page(
    database: Database, principal: Principal, query: IssueQuery
) -> OffsetPage[IssueItem]:
    """Give a page of issues, seen last first; the total is counted up to 10,000."""
    words = query.q.casefold() if query.q else None
    async with database.connection() as connection:
        items = await board.page(
            connection, principal.org, query.status, words, query.limit, query.offset
        )
        if len(items) < query.limit and (items or not query.offset):
            # A page that is not full is the last one; to count would search all over again.
            total = min(query.offset + len(items), TOTAL_CAP)
        else:
            total = await board.count(connection, principal.org, query.status, words, TOTAL_CAP)
    return OffsetPage[IssueItem](items=items, total=total, limit=query.limit, offset=query.offset)


async def read(database: Database, principal: Principal, key: str) -> Issue:
    """Give an issue with its comments and what was done with it.

    Raises:
        NotFound: there is no such issue.
    """
    async with database.connection() as connection:
        return await _find(connection, principal.org, _number(key))


async def change(database: Database, principal: Principal, key: str, wanted: IssueChange) -> Issue:
    """Change an issue, and note who changed what. Says issue.closed when that is what happened.

    Raises:
        NotFound: there is no such issue.
    """
    number = _number(key)
    async with database.transaction() as connection:
        issue = await board.lock(connection, principal.org, number)
        if issue is None:
            raise NotFound
        changes = rules.changes_of(issue, wanted)
        if changes:
            after = {field: value for field, (_, value) in changes.items()}
            title = after.get("title", issue.title)
            words = rules.words_of(number, title, issue.suite_id, issue.case_id, issue.file)
            version = await board.change(connection, principal.org, number, after, words)
            # A body is long, and its older texts are nobody's business any more.
            noted = {k: (None, None) if k == BODY else both for k, both in changes.items()}
            await board.note_activity(connection, principal.org, number, principal.account, noted)
            if after.get("status") == "closed":
                await _close(connection, principal.org, issue, title, version)
        return await _find(connection, principal.org, number)


async def _close(
    connection: Connection, org_id: str, issue: Editable, title: str, version: int
) -> None:
    """Say that an issue was closed; what a person wrote last tells how."""
    last = await board.last_word(connection, org_id, issue.number)
    event = IssueClosed(
        org_id=org_id,
        issue_id=key_of(issue.number),
        title=title,
        fingerprint=issue.fingerprint,
        suite=issue.suite_id,
        resolution=last[:LONGEST_TEXT],
        root_cause=issue.root_cause,
        evidence=issue.evidence,
        version=version,
    )
    await outbox.add(connection, event)


async def comment(database: Database, principal: Principal, key: str, new: NewComment) -> Comment:
    """Add a comment.

    Raises:
        NotFound: there is no such issue.
        LimitExceeded: it has as many comments as it may.
    """
    number = _number(key)
    async with database.transaction() as connection:
        issue = await board.lock(connection, principal.org, number)
        if issue is None:
            raise NotFound
        if issue.comment_count >= MOST_COMMENTS:
            raise LimitExceeded(f"An issue has at most {MOST_COMMENTS} comments")
        return await board.comment(
            connection,
            principal.org,
            number,
            new_id(COMMENT_PREFIX),
            principal.account,
            new.body,
        )


async def _find(connection: Connection, org_id: str, number: int) -> Issue:
    found = await board.find(connection, org_id, number)
    if found is None:
        raise NotFound
    return found


def _number(key: str) -> int:
    number = rules.number_of(key)
    if number is None:
        raise NotFound
    return number
