"""Filing failures with trackers where no server keeps account: found by fingerprint, else created.

The tracker itself remembers: what was filed before is found there by the fingerprint in its body.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from guildhall.runs.ci import CiJob
from guildhall.runs.models import Keeper, Outcome, Runner, SuiteFile, Tell
from guildhall.runs.settings import AloneSettings
from services.runs.integrations.operations.reading import of_environment
from services.runs.issues import rules as issues
from services.runs.issues.models import Finding
from services.runs.trackers import rules as trackers
from services.runs.trackers.models import (
    LABEL,
    NAMES,
    Account,
    Kind,
    Message,
    Ticket,
    TrackerFailed,
)
from services.runs.trackers.operations.asking import Tracker
from services.runs.trackers.operations.filing import TRACKERS
from services.runs.trackers.rules.writing import LONGEST_TITLE, fitted
from shared.fetch import Fetcher

TRIES: Final = 3
PAUSE: Final = 2.0
"""Seconds before the second try; the third comes after twice as many."""

LONGEST_PAUSE: Final = 30.0
"""Seconds that a tracker is waited for which asks for patience; a CI job costs money."""

WHOLE: Final = 180.0
"""Seconds for the failures of one run."""

COUNTED: Final = frozenset({"passed", "failed", "broken"})
"""Runs that ended by themselves; only their failures are confirmed."""

# Of a server's artifacts: there is none. The picture lies beside the report.
_SCREENSHOT: Final = re.compile(r"^\[Screenshot\]\(/api/v1/[^)]*\)\n?", re.MULTILINE)


def accounts_of(
    settings: AloneSettings, job: CiJob, asked: str | None
) -> tuple[dict[str, Account], list[str]]:
    """Give whom failures are filed with, and who is left out because credentials are missing.

    Args:
        settings: what the environment says, credentials among it.
        job: whose repository counts where ``GITHUB_REPO`` is not set.
        asked: ``--file-issues``; None where it was not given.
    """
    values: Mapping[str, str] = of_environment(settings)
    if job.repo:
        values = {"GITHUB_REPO": job.repo, **values}
    found, missing = {}, []
    for provider in trackers.wanted(asked, settings.file_issues):
        account = trackers.account_of(provider, values, settings.github_api_url)
        if account is None:
            missing.append(f"Nothing is filed with {NAMES[provider]}: it is not configured.")
        else:
            found[provider] = account
    return found, missing


@dataclass(frozen=True, slots=True)
class Filing:
    """Executes suites as another does, and files what failed; a ``Runner``.

    Attributes:
        runner: executes them.
        fetcher: reaches only what may be reached.
        accounts: by provider.
        job: linked from what is filed.
        pause: seconds before something is tried again.
    """

    runner: Runner
    fetcher: Fetcher
    accounts: Mapping[str, Account]
    job: CiJob
    pause: float = PAUSE

    async def run(self, suite: SuiteFile, tell: Tell, keeper: Keeper) -> Outcome:
        """See ``Runner``; what cannot be filed is told, and changes no verdict."""
        outcome = await self.runner.run(suite, tell, keeper)
        if outcome.status not in COUNTED:
            return outcome
        run_id = str(outcome.report.get("run_id") or "")
        filed: list[dict[str, Any]] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(WHOLE):
                for finding in issues.findings_of(outcome.report, run_id):
                    for account in self.accounts.values():
                        filed.append(await self._file(finding, run_id, account))
        for one in filed:
            if "error" in one:
                tell({"kind": "log", "message": f"{one['case_id']} was not filed: {one['error']}"})
            else:
                told = "filed as" if one["created"] else "seen again in"
                tell({"kind": "log", "message": f"{one['case_id']} was {told} {one['url']}"})
        return replace(outcome, report=_with(outcome.report, filed))

    async def _file(self, finding: Finding, run_id: str, account: Account) -> dict[str, Any]:
        message = self._message(finding, run_id)
        tracker = TRACKERS[account.provider](self.fetcher, account)
        one: dict[str, Any] = {
            "provider": account.provider,
            "key": None,
            "url": None,
            "case_id": finding.case_id,
            "created": False,
            "fingerprint": finding.fingerprint,
        }
        for number in range(1, TRIES + 1):
            try:
                ticket, is_new = await _mirror(tracker, message, is_first=number == 1)
            except TrackerFailed as failed:
                pause = max(self.pause * number, failed.later_s)
                is_last = number == TRIES or failed.kind is not Kind.LATER
                if is_last or pause > LONGEST_PAUSE:
                    return one | {"error": failed.reason}
                await asyncio.sleep(pause)
            else:
                return one | {"key": ticket.shown, "url": ticket.url, "created": is_new}
        raise AssertionError("the last try returns")

    def _message(self, finding: Finding, run_id: str) -> Message:
        parts = [f"Seen by `guildhall runs`, run {run_id}"]
        if re.fullmatch(r"[0-9A-Fa-f]{7,64}", self.job.git_sha):
            parts.append(f"commit `{self.job.git_sha}`")
        if self.job.url.startswith(("http://", "https://")):
            parts.append(f"[CI job]({quote(self.job.url, safe=':/?#[]@!$&*+,;=%~')})")
        foot = ", ".join(parts)

        def whole(text: str) -> str:
            return f"{fitted(_SCREENSHOT.sub('', text)).rstrip()}\n\n{foot}"

        return Message(
            run_id=run_id,
            fingerprint=finding.fingerprint,
            title=" ".join(finding.title.split())[:LONGEST_TITLE],
            body=whole(finding.body),
            comment=whole(finding.comment),
            labels=(LABEL, f"severity-{finding.severity}"),
        )


async def _mirror(tracker: Tracker, message: Message, *, is_first: bool) -> tuple[Ticket, bool]:
    """Give where a failure was filed, and whether that is new."""
    ticket = await tracker.find(message)
    if ticket is None:
        return await tracker.create(message), True
    if message.run_id in ticket.text:
        return ticket, True  # of a try whose answer was lost
    if is_first or not await tracker.has_comment(ticket.key, message.run_id):
        await tracker.comment(ticket.key, message.comment)
    if ticket.is_closed:
        await tracker.reopen(ticket.key)
    return ticket, False


def _with(report: Mapping[str, Any], filed: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Give a report that says where its failures were filed."""
    done = {one["case_id"]: one for one in reversed(filed) if one["key"]}

    def named(case: Any) -> Any:
        one = done.get(case.get("id")) if isinstance(case, Mapping) else None
        if one is None:
            return case
        issue = {name: one[name] for name in ("fingerprint", "created")}
        return {**case, "issue": {"id": one["key"], **issue}}

    shown = [{name: one[name] for name in one if name != "fingerprint"} for one in filed]
    cases = [named(case) for case in report.get("cases") or ()]
    return {**report, "cases": cases, "issues_filed": shown}
