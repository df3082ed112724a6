"""Which variables of the process environment a suite's ``env`` may take (section 4.1).

The rule: whatever a person sets for the application under test, and nothing that Guildhall, what it
runs on, or what it talks to reads for itself. It goes by name alone, so it holds whether or not a
variable is set.
"""

from __future__ import annotations

import re
from typing import Final

from services.runs.engine.grammar.models import Suite
from services.runs.engine.grammar.templates import references

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")

_PREFIXES: Final = (
    # Ours, and what the systems whose wire we speak call theirs.
    *("GUILDHALL_", "TRIPWIRE_", "UPLIFTR_", "RAWORC_", "TEAMRC_", "TRW_"),
    # Databases, brokers, stores, and the machinery around processes.
    *("PG", "POSTGRES", "DATABASE_", "DB_", "AMQP", "RABBITMQ", "REDIS", "VALKEY"),
    *("AWS_", "S3_", "AZURE_", "GOOGLE_", "GCP_", "GCLOUD_", "KUBERNETES_", "DOCKER_"),
    *("OTEL_", "SENTRY_", "SMTP", "SSH_", "GPG_", "LD_", "DYLD_", "PYTHON", "NODE_", "PLAYWRIGHT_"),
    # Models, trackers, logs, messengers: section 3.7 and the providers beside it.
    *("ANTHROPIC_", "CLAUDE_", "OPENAI_", "GEMINI_", "OPENROUTER_", "MISTRAL_", "OLLAMA_"),
    *("GITHUB_", "GITLAB_", "JIRA_", "ACTIONS_", "RUNNER_", "LOKI_", "DD_", "DATADOG_", "ES_"),
    *("ELASTICSEARCH_", "LOG_", "SLACK_", "TEAMS_", "WEBHOOK_", "NOTIFY_", "VAULT_"),
)

_NAMES: Final = frozenset(
    {
        *("FILE_ISSUES", "GIT_SHA", "CI_RUN_URL", "CI_JOB_TOKEN", "GH_TOKEN"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        # What any service calls its own secret, when nobody says whose it is.
        *("TOKEN", "KEY", "SECRET", "PASSWORD", "API_KEY", "SECRET_KEY", "JWT_SECRET", "DSN"),
    }
)


def allowed_environment_name(name: str) -> bool:
    """Tell whether ``env`` may take this variable of the process environment."""
    upper = name.upper()
    return (
        _NAME.fullmatch(name) is not None
        and upper not in _NAMES
        and not upper.startswith(_PREFIXES)
        # An address of a database or a broker holds its password.
        and not upper.endswith(("_DATABASE_URL", "_BROKER_URL", "_DSN"))
    )


def environment_names(suite: Suite) -> set[str]:
    """Give the variables of the process environment that a suite asks for and may have."""
    asked = {name for template in suite.env.values() for name in references(template)}
    return {name for name in asked - set(suite.fixtures) if allowed_environment_name(name)}
