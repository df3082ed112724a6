"""Putting runs into the queue: at once, all of a request or none (runs contract, section 3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from services.runs.engine.grammar.models import NothingSelected, Suite, UnknownCases
from services.runs.engine.grammar.parsing import parse
from services.runs.engine.grammar.selection import select
from services.runs.runs import rules
from services.runs.runs.models import NewRun, Queued, Rerun, RunRequest
from services.runs.runs.operations import moving, reading
from services.runs.runs.store import working as store
from services.runs.suites import operations as suites
from services.runs.suites.models import SuiteText
from shared.db import Connection, Database
from shared.errors import BadRequest, NotFound
from shared.ids import new_id
from shared.principal import Principal
from shared.vault import Vault

ID_PREFIX = "run_"


@dataclass(frozen=True, slots=True, repr=False)
class Readable:
    """A suite's text, and what it says."""

    text: SuiteText
    suite: Suite


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cases are to be run; ``cases`` is None for all."""

    cases: tuple[str, ...] | None
    tags: tuple[str, ...]


async def queue(
    database: Database, vault: Vault, principal: Principal, request: RunRequest
) -> Queued:
    """Queue what is asked for, in its order. Says run.queued of each.

    Raises:
        BadRequest: a case that there is none of, tags that none has, an unknown word.
        NotFound: a suite that there is none of.
    """
    file_issues = _places(request.file_issues)
    jobs = request.wanted()
    suites_by_name = await _readable(database, principal.org, [job.suite for job in jobs])
    variables = seal(vault, request.env)
    runs = []
    for job in jobs:
        found = suites_by_name[job.suite]
        choice = choose(found.suite, job.cases, request.tags)
        runs.append(
            NewRun(
                id=new_id(ID_PREFIX),
                file=found.text.file,
                suite_id=found.text.suite_id,
                suite_name=found.text.name,
                version=found.text.version,
                cases=choice.cases,
                tags=choice.tags,
                headed=request.headed is True,
                is_sharded=request.sharded is True,
                file_issues=file_issues,
                variables=variables,
                trigger=request.trigger or "api",
                rerun_of=None,
                git_sha=request.git_sha or None,
                ci_url=request.ci_url or None,
                created_by=principal.account,
            )
        )
    return await _enqueue(database, principal.org, runs)


async def rerun(database: Database, principal: Principal, run_id: str, request: Rerun) -> Queued:
    """Queue a run once more, with the suite as it is now, or only its cases that did not pass.

    Raises:
        BadRequest: there is nothing to be run again, or the run has not ended yet.
        NotFound: there is no such run, or its suite is gone.
    """
    org_id, only = principal.org, request.failed_only is True
    async with database.connection() as connection:
        run = await reading.require(connection, org_id, run_id)
        report = await reading.report_of(connection, org_id, run_id) if only else None
        variables, login = await store.sealed_of(connection, org_id, run_id)
    if only and run.status not in rules.FINAL:
        raise BadRequest("The run has not ended yet")
    found = (await _readable(database, org_id, [run.file]))[run.file]
    there = {case.id for case in found.suite.cases}
    asked = rules.failed_cases(report) if only else run.cases
    wanted = None if asked is None else [case for case in asked if case in there]
    if wanted is not None and not wanted:
        raise BadRequest("No case of the run is to be run again")
    choice = choose(found.suite, wanted, None)
    again = NewRun(
        id=new_id(ID_PREFIX),
        file=found.text.file,
        suite_id=found.text.suite_id,
        suite_name=found.text.name,
        version=found.text.version,
        cases=choice.cases,
        tags=choice.tags,
        headed=run.headed,
        is_sharded=run.sharded,
        file_issues=run.file_issues,
        variables=variables,
        trigger="rerun",
        rerun_of=run.id,
        git_sha=run.git_sha,
        ci_url=run.ci_url,
        created_by=principal.account,
        login=login,
    )
    return await _enqueue(database, org_id, [again])


async def _enqueue(database: Database, org_id: str, runs: Sequence[NewRun]) -> Queued:
    async with database.transaction() as connection:
        await moving.enqueue(connection, org_id, runs)
    ids = [run.id for run in runs]
    return Queued(run_id=ids[0], run_ids=ids, queued=len(ids))


def choose(suite: Suite, cases: Sequence[str] | None, tags: Sequence[str] | None) -> Choice:
    """Choose cases by id, by tag or both, with what they depend on.

    Raises:
        BadRequest: naming what the suite does not have.
    """
    if cases is not None and not cases:
        raise BadRequest("cases is empty: leave it out to run all of them")
    chosen: tuple[str, ...] | None = None
    if cases is not None or tags:
        try:
            chosen = tuple(select(suite, cases, tags or ()))
        except (UnknownCases, NothingSelected) as error:
            raise BadRequest(str(error) or f"No case has any of the tags {tags}") from None
    of = [case for case in suite.cases if chosen is None or case.id in chosen]
    return Choice(chosen, tuple(dict.fromkeys(tag for case in of for tag in case.tags)))


def seal(vault: Vault, variables: Mapping[str, str] | None) -> bytes | None:
    """Encrypt variables that were given with a run."""
    return vault.seal(to_json(variables)) if variables else None


def _places(text: str | None) -> str | None:
    try:
        return rules.read_places(text)
    except rules.UnknownWord as error:
        raise BadRequest(str(error)) from None


async def _readable(
    database: Database, org_id: str, names: Sequence[str]
) -> Mapping[str, Readable]:
    """Read the newest texts of suites, by the names that were asked for.

    Raises:
        NotFound: there is no such suite.
        BadRequest: its text cannot be read any more.
    """
    texts: dict[str, SuiteText] = {}
    async with database.connection() as connection:
        for name in dict.fromkeys(names):
            texts[name] = await _text(connection, org_id, name)
    found = {}
    for name, text in texts.items():
        # A text may be long: others are answered meanwhile.
        parsed = await asyncio.to_thread(parse, text.text)
        if parsed.suite is None:
            raise BadRequest(f"The suite {text.file} cannot be run: correct its text first")
        found[name] = Readable(text, parsed.suite)
    return found


async def _text(connection: Connection, org_id: str, name: str) -> SuiteText:
    text = await suites.find_text(connection, org_id, name)
    if text is None:
        raise NotFound(f"There is no suite {name}")
    return text
