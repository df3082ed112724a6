"""What the environment says of other systems, under the names that users bring along."""

from __future__ import annotations

from typing import Final

from pydantic import Field, SecretStr, field_validator

from services.runs.integrations.models.keys import KEYS, LOG_BACKENDS, LOG_FILE, NOTIFY_WORDS
from shared.settings import Settings

FOREIGN: Final = {
    key.field: (key.name,)
    for key in (*KEYS, LOG_FILE)
    if key.name not in ("FILE_ISSUES", "ANTHROPIC_API_KEY")
}
"""For ``settings_config``; those two are other settings' already."""


class IntegrationSettings(Settings):
    """What holds for organizations that have stored nothing of their own (contract, 3.7)."""

    github_token: SecretStr | None = Field(None, description="A token that may file issues.")
    github_repo: str = Field("", description="Where GitHub issues are filed, owner/name.")
    gitlab_token: SecretStr | None = Field(None, description="A token that may file issues.")
    gitlab_project: str = Field("", description="The project's number, or its path.")
    gitlab_url: str = Field("", description="GitLab's address; https://gitlab.com if absent.")
    jira_base: str = Field("", description="Jira's address, https://name.atlassian.net.")
    jira_email: str = Field("", description="Whose token Jira's is.")
    jira_token: SecretStr | None = Field(None, description="An API token that may file issues.")
    jira_project: str = Field("", description="The key of the project, such as WEB.")
    log_backend: str = Field(
        "", description="Where the logs of tested applications are: " + ", ".join(LOG_BACKENDS)
    )
    loki_url: str = Field("", description="Loki's address.")
    loki_selector: str = Field("", description='Which streams; {job=~".+"} if absent.')
    dd_api_key: SecretStr | None = Field(None, description="Datadog's API key.")
    dd_app_key: SecretStr | None = Field(None, description="Datadog's application key.")
    dd_site: str = Field("", description="Datadog's site; datadoghq.com if absent.")
    es_url: str = Field("", description="Elasticsearch's address.")
    es_index: str = Field("", description="Which indices are searched.")
    es_api_key: SecretStr | None = Field(None, description="Its API key, if it wants one.")
    log_http_url: str = Field("", description="A log service of your own, asked with GET.")
    log_http_token: SecretStr | None = Field(None, description="Its bearer token.")
    log_file: str = Field(
        "", description="A log file on this machine, for LOG_BACKEND=file; read from here only."
    )
    slack_webhook_url: SecretStr | None = Field(
        None, description="An incoming webhook of Slack that is told of runs of plans."
    )
    teams_webhook_url: SecretStr | None = Field(None, description="And one of Teams.")
    webhook_url: str = Field("", description="And an address of your own.")
    webhook_secret: SecretStr | None = Field(
        None, description="Under which messages to webhook_url are signed."
    )
    notify_on: str = Field("", description="`failure` (if absent), or `always`.")

    @field_validator("log_backend", "notify_on", mode="before")
    @classmethod
    def _word_in_lower_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("log_backend")
    @classmethod
    def _is_a_backend(cls, value: str) -> str:
        if value and value not in LOG_BACKENDS:
            raise ValueError("must be one of " + ", ".join(LOG_BACKENDS))
        return value

    @field_validator("notify_on")
    @classmethod
    def _is_a_choice(cls, value: str) -> str:
        if value and value not in NOTIFY_WORDS:
            raise ValueError("must be one of " + ", ".join(NOTIFY_WORDS))
        return value
