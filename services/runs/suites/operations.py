"""Keeping suites (runs contract, section 3.3), and giving their texts to those who run them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic_core import from_json

from services.runs.engine import spec
from services.runs.engine.grammar.parsing import parse
from services.runs.suites import rules, store
from services.runs.suites.models import (
    CaseItem,
    Conditions,
    Draft,
    Finding,
    Saved,
    Shown,
    SuiteDetail,
    SuitePage,
    SuiteQuery,
    SuiteText,
    Validation,
    VersionDetail,
    VersionPage,
    VersionQuery,
    file_name,
)
from shared.db import Connection, Database
from shared.errors import BadRequest, NotFound
from shared.pagination import TOTAL_CAP
from shared.principal import Principal

CANDIDATES = 50
"""File names that are looked up at once for one that is free."""


async def page(database: Database, org_id: str, query: SuiteQuery) -> SuitePage:
    """Give a page of suites by file name, and how many there are."""
    wanted = (org_id, query.q, query.tag)
    async with database.connection() as connection:
        items = await store.page(connection, *wanted, query.limit, query.offset)
        total = await store.count(connection, *wanted, TOTAL_CAP)
    return SuitePage(items=items, total=total, limit=query.limit, offset=query.offset)


async def create(database: Database, principal: Principal, text: str) -> str:
    """Keep a text as a new suite; give its file, whose name nobody has or had.

    Raises:
        TooLarge: the text is longer than a suite may be.
        BadRequest: it is no suite.
    """
    return (await create_all(database, principal, [("", text)]))[0]


async def create_all(
    database: Database, principal: Principal, texts: Sequence[tuple[str, str]]
) -> list[str]:
    """Keep texts as new suites, all of them or none; give their files in the same order.

    Args:
        database: the service's.
        principal: who keeps them.
        texts: of each the words of its file's name, empty for the suite's own, and its text.

    Raises:
        TooLarge: a text is longer than a suite may be.
        BadRequest: one is no suite.
    """
    drafts = await drafted(texts)
    async with database.transaction() as connection:
        return await add_all(connection, principal, drafts)


async def drafted(texts: Sequence[tuple[str, str]]) -> list[tuple[str, Draft]]:
    """Read texts, each with the words of its file's name.

    Raises:
        TooLarge: a text is longer than a suite may be.
        BadRequest: one is no suite.
    """
    return [(name, await _draft(text)) for name, text in texts]


async def add_all(
    connection: Connection, principal: Principal, drafts: Sequence[tuple[str, Draft]]
) -> list[str]:
    """Keep drafts as new suites in somebody's transaction; give their files in the same order."""
    files = []
    for name, draft in drafts:
        file = await _free_file(connection, principal.org, name or draft.name)
        await store.write(connection, principal.org, file, draft, principal.account)
        files.append(file)
    return files


async def _free_file(connection: Connection, org_id: str, name: str) -> str:
    """Find a free name and hold it until the transaction ends."""
    first = 1
    while True:
        files = rules.candidates(name, first, CANDIDATES)
        there = await store.taken(connection, org_id, files)
        for file in files:
            if file in there:
                continue
            await store.lock(connection, org_id, file)
            # Whoever had the lock may have taken the name meanwhile.
            if not await store.taken(connection, org_id, [file]):
                return file
        first += CANDIDATES


async def _draft(text: str) -> Draft:
    rules.check_size(text)
    return await asyncio.to_thread(rules.drafted, text)


async def read(database: Database, org_id: str, name: str) -> SuiteDetail:
    """Give a suite with its text.

    Raises:
        NotFound: there is none of that name.
    """
    file = _file(name)
    async with database.connection() as connection:
        shown = await store.show(connection, org_id, file)
        if shown is None:
            raise _unknown()
        other = await store.others_with_id(connection, org_id, shown.suite_id, file)
    return _detail(shown, other)


def is_known(conditions: Conditions, found: SuiteDetail) -> bool:
    """Tell whether a reader has this text already (``If-None-Match``)."""
    return rules.is_unchanged(conditions, found.etag.strip('"'))


def _detail(shown: Shown, other: str | None) -> SuiteDetail:
    return SuiteDetail(
        file=shown.file,
        yaml=shown.text,
        cases=[CaseItem.model_validate(case) for case in from_json(shown.cases)],
        etag=rules.quoted(shown.etag),
        warnings=_warnings(shown.warnings, other),
        updated_at=shown.updated_at,
        version=shown.version,
    )


def _warnings(written: str, other: str | None) -> list[Finding]:
    found = [Finding.model_validate(one) for one in from_json(written)]
    return found if other is None else [rules.clash(other), *found]


async def save(
    database: Database, principal: Principal, name: str, text: str, conditions: Conditions
) -> Saved:
    """Keep a text under a name, as a new suite or as the newest text of the one that is there.

    A text that is there already makes no new version.

    Raises:
        TooLarge: the text is longer than a suite may be.
        BadRequest: it is no suite, or no suite can have that name; what was there stays.
        PreconditionFailed: the suite is not in the state that the caller demands.
    """
    file = file_name(name)
    if file is None:
        message = "A suite's name has letters, digits, '.', '_' and '-', at most 120 characters, "
        raise BadRequest(message + "and its file ends in .tripwire.yaml")
    draft = await _draft(text)
    org_id = principal.org
    async with database.transaction() as connection:
        await store.lock(connection, org_id, file)
        row = await store.find(connection, org_id, file)
        rules.check(conditions, None if row is None else row.etag)
        if row is not None and row.etag == draft.etag:
            version = row.version
        else:
            version = await store.write(connection, org_id, file, draft, principal.account)
        other = await store.others_with_id(connection, org_id, draft.suite_id, file)
    return Saved(
        file=file,
        warnings=_warnings(draft.warnings, other),
        etag=rules.quoted(draft.etag),
        version=version,
    )


async def delete(database: Database, org_id: str, name: str, conditions: Conditions) -> None:
    """Delete a suite; its texts and runs stay readable.

    Raises:
        NotFound: there is none of that name.
        PreconditionFailed: it is not in the state that the caller demands.
    """
    file = _file(name)
    async with database.transaction() as connection:
        await store.lock(connection, org_id, file)
        row = await store.find(connection, org_id, file)
        if row is None:
            raise _unknown()
        rules.check(conditions, row.etag)
        await store.delete(connection, org_id, file)


async def versions(database: Database, org_id: str, name: str, query: VersionQuery) -> VersionPage:
    """Give a page of a suite's texts, newest first, also of a deleted one's.

    Raises:
        NotFound: there was never one of that name.
    """
    file = _file(name)
    async with database.connection() as connection:
        total = await store.count_versions(connection, org_id, file)
        if total == 0:
            raise _unknown()
        items = await store.versions(connection, org_id, file, query.limit, query.offset)
    return VersionPage(items=items, total=total, limit=query.limit, offset=query.offset)


async def version(database: Database, org_id: str, name: str, n: str) -> VersionDetail:
    """Give one of a suite's texts, also of a deleted one's.

    Raises:
        NotFound: there is none of that number.
    """
    file = _file(name)
    # As many digits as the column's type holds for sure.
    if not (n.isascii() and n.isdigit() and len(n) < 10):
        raise NotFound("No such version")
    async with database.connection() as connection:
        found = await store.version(connection, org_id, file, int(n))
    if found is None:
        raise NotFound("No such version")
    return found


async def validate(database: Database, org_id: str, text: str) -> Validation:
    """Say what would become of a text, and keep nothing.

    Raises:
        TooLarge: it is longer than a suite may be.
    """
    rules.check_size(text)
    validation, parsed = await asyncio.to_thread(rules.validated, text)
    if parsed.suite is None:
        return validation
    async with database.connection() as connection:
        other = await store.others_with_id(connection, org_id, parsed.suite.id, "")
    if other is None:
        return validation
    warnings = [rules.clash(other), *validation.warnings]
    return validation.model_copy(update={"warnings": warnings})


async def export(database: Database, org_id: str, name: str) -> str:
    """Give a suite as a Playwright spec.

    Raises:
        NotFound: there is none of that name.
    """
    async with database.connection() as connection:
        found = await find_text(connection, org_id, name)
    if found is None:
        raise _unknown()
    return await asyncio.to_thread(_written, found.text)


def _written(text: str) -> str:
    parsed = parse(text)
    if parsed.suite is None:
        # Kept by an earlier grammar that allowed more.
        raise rules.invalid(parsed.problems)
    return spec.write(parsed.suite)


async def find_text(connection: Connection, org_id: str, name: str) -> SuiteText | None:
    """Find a suite and its newest text by a name as the surface takes it."""
    file = file_name(name)
    return None if file is None else await store.find_text(connection, org_id, file)


async def text_of(connection: Connection, org_id: str, file: str, version: int) -> str | None:
    """Give one of the texts that a file has had; they outlive the suite."""
    return await store.text_of(connection, org_id, file, version)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all suites of an organization."""
    await store.forget_organization(connection, org_id)


async def forget_account(connection: Connection, account_id: str) -> None:
    """Let no suite name an account as its author."""
    await store.forget_account(connection, account_id)


def _file(name: str) -> str:
    file = file_name(name)
    if file is None:
        raise _unknown()
    return file


def _unknown() -> NotFound:
    return NotFound("There is no suite of that name")
