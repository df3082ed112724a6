"""The agents service's settings."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from services.agents.providers.models import BUILTIN
from shared.prices import Price, read_prices
from shared.settings import KeyBytes, ServiceSettings, WebAddress, settings_config
from shared.siblings import Sibling, sibling_at
from shared.targets import TargetSettings


class AgentsSettings(ServiceSettings, TargetSettings):
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

    default_model: str = Field(
        BUILTIN,
        max_length=100,
        description="The model of agents whose model is `default`, and of the assistant that "
        "answers where a session has no agent.",
    )
    openai_url: WebAddress | None = Field(
        None,
        description="A service that speaks OpenAI's chat completions (OpenAI, Ollama, vLLM and "
        "others), http://host/v1; OpenAI's own if only a key is given.",
    )
    openai_key: SecretStr | None = Field(None, description="Its key, if it wants one.")
    openai_model: str | None = Field(
        None, max_length=100, description="The model of agents whose model is `openai`."
    )
    anthropic_url: WebAddress | None = Field(
        None,
        description="A service that speaks Anthropic's messages, http://host; Anthropic's own if "
        "only a key is given.",
    )
    anthropic_key: SecretStr | None = Field(None, description="Its key, if it wants one.")
    anthropic_model: str | None = Field(
        None, max_length=100, description="The model of agents whose model is `anthropic`."
    )
    model_prices: str = Field(
        "",
        description="US dollars per million tokens read/written, by model: "
        "`gpt-4o=2.50/10 claude-*=3/15`; the longest name that fits counts, others cost nothing.",
    )
    model_seconds: float = Field(
        120, ge=1, le=600, description="Seconds for one answer, tools and retries included."
    )
    model_concurrency: int = Field(
        64, ge=1, le=1000, description="Requests that a process has at one model service at once."
    )
    model_retries: int = Field(
        2,
        ge=0,
        le=10,
        description="Times that a request is repeated which a service had no time "
        "or no health for.",
    )
    model_answer_tokens: int = Field(
        4096, ge=1, le=1_000_000, description="Tokens of one answer at most, where we must say."
    )

    @field_validator("openai_key", "anthropic_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            plain = value.get_secret_value().strip()
            if not plain.isascii() or not plain.isprintable():
                raise ValueError("must be one line of ASCII")
            return SecretStr(plain)
        return value

    @field_validator("model_prices")
    @classmethod
    def _are_prices(cls, value: str) -> str:
        read_prices(value)
        return value

    def prices(self) -> tuple[Price, ...]:
        """Give the price table."""
        return read_prices(self.model_prices)

    turns: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Sessions that a process works on at once; they mostly wait for models.",
    )
    turn_lease_seconds: float = Field(
        20,
        ge=0.5,
        le=60,
        description="Seconds after which other processes take over the sessions of one that died.",
    )
    streams: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Open streams of one process at most; fewer than upstream_connections.",
    )
    streams_per_caller: int = Field(
        20, ge=1, le=100_000, description="And those of one caller on the agents surface."
    )
    audit_days: int = Field(
        365, ge=1, le=36_500, description="Days that it is kept who changed agents and sessions."
    )

    def siblings(self) -> dict[str, Sibling]:
        """Give the services that agents may ask, by name."""
        root = self.root_secret
        return {
            **sibling_at(self.auth_url, self.auth_sibling_key, root, "auth"),
            **sibling_at(self.learnings_url, self.learnings_sibling_key, root, "learnings"),
            **sibling_at(self.teams_url, self.teams_sibling_key, root, "teams"),
        }
