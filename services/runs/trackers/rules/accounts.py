"""Which trackers a run's failures go to (contract, 3.4 and 3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.runs.trackers.models import PROVIDERS, Account

GITLAB: Final = "https://gitlab.com"
"""Where projects are unless somebody says otherwise."""

NONE: Final = "none"


def wanted(asked: str | None, installed: str) -> tuple[str, ...]:
    """Give the providers that a run's failures are to be filed with, beside the board.

    Args:
        asked: ``file_issues`` of the run; None where it said nothing.
        installed: what holds for its organization then.
    """
    words = [word.strip().lower() for word in (installed if asked is None else asked).split(",")]
    return () if NONE in words else tuple(each for each in PROVIDERS if each in words)


def configured(values: Mapping[str, str], github: str) -> dict[str, Account]:
    """Give the accounts whose credentials are complete, by provider; see ``account_of``."""
    found = ((each, account_of(each, values, github)) for each in PROVIDERS)
    return {provider: account for provider, account in found if account is not None}


def account_of(provider: str, values: Mapping[str, str], github: str) -> Account | None:
    """Give an organization's account; None where its credentials are not complete.

    Args:
        provider: one of ``PROVIDERS``.
        values: what holds for the organization.
        github: address of GitHub's API, which no organization chooses.
    """
    if provider == "github":
        base, project, secret = github, values.get("GITHUB_REPO"), values.get("GITHUB_TOKEN")
        user = ""
    elif provider == "gitlab":
        base, project = values.get("GITLAB_URL") or GITLAB, values.get("GITLAB_PROJECT")
        secret, user = values.get("GITLAB_TOKEN"), ""
    else:
        base, project = values.get("JIRA_BASE", ""), values.get("JIRA_PROJECT")
        secret, user = values.get("JIRA_TOKEN"), values.get("JIRA_EMAIL", "")
        if not base or not user:
            return None
    if not project or not secret:
        return None
    return Account(provider, base.rstrip("/"), project.strip("/"), secret, user)
