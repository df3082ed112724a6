"""Comparing a picture with its baseline; the first one becomes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256

from services.runs.artifacts.operations import Store
from services.runs.checks import rules, store
from services.runs.checks.models import (
    TOLERANCE,
    Outcome,
    Picture,
    ScreenshotCheck,
    ScreenshotChecked,
    Stored,
)
from services.runs.checks.operations import files
from services.runs.engine.probes.pictures import (
    Compared,
    Comparer,
    ComparingFailed,
    NotAPicture,
    read_size,
)
from shared.db import Database
from shared.errors import NotFound, Unavailable
from shared.principal import Principal

TRIES = 3
"""Baselines may be replaced or reset while they are read."""


async def compare(
    database: Database,
    store_of_files: Store,
    comparer: Comparer,
    principal: Principal,
    check: ScreenshotCheck,
) -> ScreenshotChecked:
    """Compare a picture with the baseline of its name, or make it that if there is none.

    Of several first ones at once exactly one becomes the baseline; the others are compared with it.

    Raises:
        Invalid: it is no PNG.
        TooLarge: it has too many bytes or pixels.
        Unavailable: there was no time to look at it.
    """
    org_id = principal.org
    content = rules.read_base64(check.image_b64)
    async with _refusing():
        size = read_size(content)
    picture = Picture(content, sha256(content).digest(), size.width, size.height)
    tolerance = TOLERANCE if check.tol is None else check.tol
    for _ in range(TRIES):
        async with database.connection() as connection:
            baseline = await store.find(connection, org_id, check.name)
        if baseline is None:
            if not picture.key:
                async with _refusing():
                    await comparer.check(content)
                key = await files.write(database, store_of_files, org_id, content)
                picture = replace(picture, key=key)
            if await _seed(database, principal, check.name, picture):
                return ScreenshotChecked(status="passed", observed=rules.SEEDED, seeded=True)
            continue
        try:
            outcome = await _outcome(store_of_files, comparer, baseline, picture, tolerance)
        except NotFound:
            continue  # replaced while we read it
        has_diff = await _note(database, store_of_files, org_id, baseline, picture, outcome)
        return ScreenshotChecked(
            status=outcome.status,
            observed=outcome.observed,
            diff_path=rules.path_of(check.name, "diff") if has_diff else None,
        )
    raise Unavailable("The baseline is being changed; try again")


async def _seed(database: Database, principal: Principal, name: str, picture: Picture) -> bool:
    async with database.transaction() as connection:
        is_first = await store.insert(
            connection,
            principal.org,
            name,
            picture,
            rules.SEEDED,
            principal.account or principal.subject,
        )
        if is_first:
            await store.keep_files(connection, principal.org, [picture.key])
    return is_first


async def _outcome(
    store_of_files: Store,
    comparer: Comparer,
    baseline: Stored,
    picture: Picture,
    tolerance: float,
) -> Outcome:
    old, new = (baseline.width, baseline.height), (picture.width, picture.height)
    if baseline.sha256 == picture.sha256:
        return rules.outcome_of(Compared(0.0, 0, None), tolerance, old, new)
    before = await store_of_files.get_object(baseline.picture)
    async with _refusing():
        compared = await comparer.compare(before, picture.content)
    return rules.outcome_of(compared, tolerance, old, new)


async def _note(
    database: Database,
    store_of_files: Store,
    org_id: str,
    baseline: Stored,
    picture: Picture,
    outcome: Outcome,
) -> bool:
    """Keep what was compared, for people to look at and approve; tell whether a diff is kept."""
    is_same = picture.sha256 == baseline.sha256
    if is_same:
        picture = replace(picture, key=baseline.picture)
    elif not picture.key:
        key = await files.write(database, store_of_files, org_id, picture.content)
        picture = replace(picture, key=key)
    difference = None
    if outcome.difference is not None:
        difference = await files.write(database, store_of_files, org_id, outcome.difference)
    async with database.transaction() as connection:
        row = await store.lock(connection, org_id, baseline.name)
        if row is None or (is_same and row.picture != baseline.picture):
            return False  # reset or approved meanwhile; what we wrote is swept
        old = {row.latest, row.difference} - {row.picture, picture.key, None}
        await store.drop_files(connection, org_id, [key for key in old if key])
        kept = [key for key in (picture.key, difference) if key]
        await store.keep_files(connection, org_id, kept)
        await store.set_latest(connection, org_id, baseline.name, picture, outcome, difference)
    return difference is not None


@asynccontextmanager
async def _refusing() -> AsyncIterator[None]:
    """Turn what can be wrong with a picture into what the caller is told."""
    try:
        yield
    except NotAPicture as bad:
        raise rules.refusal(bad.reason, is_too_large=bad.is_too_large) from None
    except ComparingFailed:
        raise Unavailable("There was no time to look at the picture; try again") from None
