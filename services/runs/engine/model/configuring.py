"""Which model is asked: what the environment says, which may be nothing (contract, section 14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field, SecretStr, field_validator

from services.runs.engine.model.asking import Service
from services.runs.engine.model.models import Limits
from services.runs.engine.model.wires import VERSION, Anthropic, OpenAI
from shared.prices import read_prices
from shared.settings import Settings, WebAddress

ANTHROPIC: Final = "https://api.anthropic.com"
OPENAI: Final = "https://api.openai.com/v1"
DEFAULT_MODEL: Final = "claude-sonnet-4-5"

FOREIGN: Final[Mapping[str, tuple[str, ...]]] = {
    "anthropic_key": ("ANTHROPIC_API_KEY",),
    "anthropic_token": ("ANTHROPIC_AUTH_TOKEN",),
}
"""For ``settings_config``: names that suites' authors bring along."""


class ModelSettings(Settings):
    """What a process reads that may ask a model."""

    anthropic_url: WebAddress | None = Field(
        None,
        description="A service that speaks Anthropic's messages, http://host; Anthropic's own if "
        "only a key is given.",
    )
    anthropic_key: SecretStr | None = Field(None, description="Its key, if it wants one.")
    anthropic_token: SecretStr | None = Field(
        None, description="Its bearer token, where it takes one instead of a key."
    )
    anthropic_model: str | None = Field(
        None, max_length=100, description="The model that is asked there."
    )
    openai_url: WebAddress | None = Field(
        None,
        description="A service that speaks OpenAI's chat completions (OpenAI, Ollama, vLLM and "
        "others), http://host/v1; OpenAI's own if only a key is given.",
    )
    openai_key: SecretStr | None = Field(None, description="Its key, if it wants one.")
    openai_model: str | None = Field(
        None, max_length=100, description="The model that is asked there; without it, none is."
    )
    model_prices: str = Field(
        "",
        description="US dollars per million tokens read/written, by model: "
        "`gpt-4o=2.50/10 claude-*=3/15`; the longest name that fits counts, others cost nothing.",
    )
    model_seconds: float = Field(
        60, ge=1, le=600, description="Seconds for one answer, retries included."
    )
    model_concurrency: int = Field(
        8, ge=1, le=1000, description="Requests that a process has at one model service at once."
    )
    model_retries: int = Field(
        2,
        ge=0,
        le=10,
        description="Times that a request is repeated which a service had no time "
        "or no health for.",
    )
    model_answer_tokens: int = Field(
        2000, ge=1, le=1_000_000, description="Tokens of one answer at most, where we must say."
    )
    model_run_calls: int = Field(
        200, ge=0, le=100_000, description="Times that one run may ask a model."
    )
    model_run_tokens: int = Field(
        1_000_000,
        ge=0,
        le=1_000_000_000,
        description="Tokens that one run may have a model read and write.",
    )

    @field_validator("openai_key", "anthropic_key", "anthropic_token")
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

    def model_limits(self) -> Limits:
        """Give what one run may use."""
        return Limits(self.model_run_calls, self.model_run_tokens, self.model_seconds)

    def model_service(self) -> Service | None:
        """Give the model to ask, Anthropic's first; None where nothing is configured."""
        if self.anthropic_key or self.anthropic_token or self.anthropic_url:
            address = self.anthropic_url or ANTHROPIC
            return Service(
                Anthropic(),
                # With or without the version, which is part of what people copy.
                address.removesuffix("/v1"),
                _anthropic(self.anthropic_key, self.anthropic_token),
                self.anthropic_model or DEFAULT_MODEL,
                read_prices(self.model_prices),
                self.model_answer_tokens,
                self.model_concurrency,
                self.model_retries,
            )
        if self.openai_model and (self.openai_key or self.openai_url):
            return Service(
                OpenAI(),
                self.openai_url or OPENAI,
                _bearer(self.openai_key),
                self.openai_model,
                read_prices(self.model_prices),
                self.model_answer_tokens,
                self.model_concurrency,
                self.model_retries,
            )
        return None


def _anthropic(key: SecretStr | None, token: SecretStr | None) -> dict[str, str]:
    headers = {"anthropic-version": VERSION}
    if key is not None:
        return headers | {"x-api-key": key.get_secret_value()}
    return headers | _bearer(token)


def _bearer(token: SecretStr | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token.get_secret_value()}"}
