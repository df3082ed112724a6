"""The keys: which are secret, which are addresses, and what belongs together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MASK: Final = "••••"
"""How the shown form of a secret begins."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an organization's settings.

    Attributes:
        name: the same as the environment's.
        field: of ``RunsSettings``.
        is_secret: whether it is shown masked.
        is_url: whether it is an address that is asked.
        goes_to: the keys that say to whom this secret is shown, and what it may write there; none
            if that is fixed.
    """

    name: str
    field: str
    is_secret: bool = False
    is_url: bool = False
    goes_to: tuple[str, ...] = ()


KEYS: Final[tuple[Key, ...]] = (
    Key("FILE_ISSUES", "file_issues"),
    Key("GITHUB_TOKEN", "github_token", is_secret=True, goes_to=("GITHUB_REPO",)),
    Key("GITHUB_REPO", "github_repo"),
    Key("GITLAB_TOKEN", "gitlab_token", is_secret=True, goes_to=("GITLAB_URL", "GITLAB_PROJECT")),
    Key("GITLAB_PROJECT", "gitlab_project"),
    Key("GITLAB_URL", "gitlab_url", is_url=True),
    Key("JIRA_BASE", "jira_base", is_url=True),
    Key("JIRA_EMAIL", "jira_email"),
    Key("JIRA_TOKEN", "jira_token", is_secret=True, goes_to=("JIRA_BASE", "JIRA_PROJECT")),
    Key("JIRA_PROJECT", "jira_project"),
    Key("LOG_BACKEND", "log_backend"),
    Key("LOKI_URL", "loki_url", is_url=True),
    Key("LOKI_SELECTOR", "loki_selector"),
    Key("DD_API_KEY", "dd_api_key", is_secret=True, goes_to=("DD_SITE",)),
    Key("DD_APP_KEY", "dd_app_key", is_secret=True, goes_to=("DD_SITE",)),
    Key("DD_SITE", "dd_site"),
    Key("ES_URL", "es_url", is_url=True),
    Key("ES_INDEX", "es_index"),
    Key("ES_API_KEY", "es_api_key", is_secret=True, goes_to=("ES_URL",)),
    Key("LOG_HTTP_URL", "log_http_url", is_url=True),
    Key("LOG_HTTP_TOKEN", "log_http_token", is_secret=True, goes_to=("LOG_HTTP_URL",)),
    Key("SLACK_WEBHOOK_URL", "slack_webhook_url", is_secret=True, is_url=True),
    Key("TEAMS_WEBHOOK_URL", "teams_webhook_url", is_secret=True, is_url=True),
    Key("WEBHOOK_URL", "webhook_url", is_url=True),
    Key("WEBHOOK_SECRET", "webhook_secret", is_secret=True, goes_to=("WEBHOOK_URL",)),
    Key("NOTIFY_ON", "notify_on"),
    Key("ANTHROPIC_API_KEY", "anthropic_key", is_secret=True),
)

SECRETS: Final = frozenset(key.name for key in KEYS if key.is_secret)
URLS: Final = tuple(key.name for key in KEYS if key.is_url)

LOG_FILE: Final = Key("LOG_FILE", "log_file")
"""The environment's alone: whoever may write settings must not read files of this machine."""

CHANNELS: Final = {
    "slack": "SLACK_WEBHOOK_URL",
    "teams": "TEAMS_WEBHOOK_URL",
    "webhook": "WEBHOOK_URL",
}
"""The key of each channel's address."""

LOG_BACKENDS: Final = ("loki", "datadog", "elasticsearch", "http", "file")
NOTIFY_WORDS: Final = ("failure", "always")
TRACKERS: Final = ("tripwire", "github", "gitlab", "jira")
NOWHERE: Final = "none"

LONGEST: Final = 4096
"""Characters of a value."""
