"""The agents service's settings."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.settings import KeyBytes, ServiceSettings, WebAddress, settings_config
from shared.siblings import Sibling, sibling_at


class AgentsSettings(ServiceSettings):
    """What every service reads, as ``GUILDHALL_AGENTS_<NAME>`` or ``GUILDHALL_<NAME>``."""

    model_config = settings_config("agents")
    service: ClassVar[str] = "agents"

    auth_url: WebAddress | None = Field(
        None,
        description="Where the auth service listens, http://host:port; without it, roles are not "
        "known and knowledge is not looked up.",
    )
    auth_sibling_key: KeyBytes | None = Field(
        None,
        description="Under which agents asks the auth service; derived from the root secret if "
        "absent.",
    )
    learnings_url: WebAddress | None = Field(
        None,
        description="Where the learnings service listens, http://host:port; without it, agents "
        "answer without learnings.",
    )
    learnings_sibling_key: KeyBytes | None = Field(
        None,
        description="Under which agents asks the learnings service; derived from the root secret "
        "if absent.",
    )
    teams_url: WebAddress | None = Field(
        None,
        description="Where the teams service listens, http://host:port; without it, agents answer "
        "without the knowledge of teams.",
    )
    teams_sibling_key: KeyBytes | None = Field(
        None,
        description="Under which agents asks the teams service; derived from the root secret if "
        "absent.",
    )

    def siblings(self) -> dict[str, Sibling]:
        """Give the services that agents may ask, by name."""
        root = self.root_secret
        return {
            **sibling_at(self.auth_url, self.auth_sibling_key, root, "auth"),
            **sibling_at(self.learnings_url, self.learnings_sibling_key, root, "learnings"),
            **sibling_at(self.teams_url, self.teams_sibling_key, root, "teams"),
        }
