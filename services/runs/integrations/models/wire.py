"""Settings as clients see them (contract, 3.7)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.runs.integrations.models.keys import LONGEST
from shared.api import Answer, Body

Value = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST)]


class _Fields(BaseModel):
    FILE_ISSUES: Value | None = None
    GITHUB_TOKEN: Value | None = None
    GITHUB_REPO: Value | None = None
    GITLAB_TOKEN: Value | None = None
    GITLAB_PROJECT: Value | None = None
    GITLAB_URL: Value | None = None
    JIRA_BASE: Value | None = None
    JIRA_EMAIL: Value | None = None
    JIRA_TOKEN: Value | None = None
    JIRA_PROJECT: Value | None = None
    LOG_BACKEND: Value | None = None
    LOKI_URL: Value | None = None
    LOKI_SELECTOR: Value | None = None
    DD_API_KEY: Value | None = None
    DD_APP_KEY: Value | None = None
    DD_SITE: Value | None = None
    ES_URL: Value | None = None
    ES_INDEX: Value | None = None
    ES_API_KEY: Value | None = None
    LOG_HTTP_URL: Value | None = None
    LOG_HTTP_TOKEN: Value | None = None
    SLACK_WEBHOOK_URL: Value | None = None
    TEAMS_WEBHOOK_URL: Value | None = None
    WEBHOOK_URL: Value | None = None
    WEBHOOK_SECRET: Value | None = None
    NOTIFY_ON: Value | None = None
    ANTHROPIC_API_KEY: Value | None = None


class SettingsChange(_Fields, Body):
    """``PUT /api/v1/settings``: null and absent keep, ``••••…`` keeps, empty clears."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Show which keys, and never their values."""
        return [(None, name) for name in sorted(self.model_fields_set)]


class SettingsShown(_Fields, Answer):
    """``GET /api/v1/settings``: what holds, secrets masked; null is what has no value."""


class Trackers(Answer):
    """Which trackers have complete credentials."""

    github: bool
    gitlab: bool
    jira: bool


class Tried(Answer):
    """What came of a test message to one channel."""

    channel: str
    ok: bool
    error: Annotated[str | None, Field(description="Absent where it was taken.")] = None


class Outcome(Answer):
    """``POST /api/v1/settings/test-notification``."""

    ok: bool
    results: list[Tried]
