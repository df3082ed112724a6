"""Settings, read once from the environment; a missing or bad one stops the process by name.

Every variable starts with ``GUILDHALL_``. A setting of one service may also be given as
``GUILDHALL_<SERVICE>_<NAME>``, which wins over ``GUILDHALL_<NAME>``: so one environment can hold
the settings of all processes and still give each its own database, key and port.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BeforeValidator,
    Field,
    SecretBytes,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.secret import decode_base64url, derive

PREFIX: Final = "GUILDHALL_"
SERVICES: Final = ("auth", "learnings", "runs", "teams", "agents")
"""The domain services, in the order of their development ports."""


def _key_bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return decode_base64url(value.strip())
    except ValueError:
        raise ValueError("must be base64url without padding") from None


def _at_least_32(value: SecretBytes) -> SecretBytes:
    if len(value.get_secret_value()) < 32:
        raise ValueError("must hold at least 32 bytes")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isascii():
        raise ValueError("must be http:// or https:// and a host, in ASCII")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
"""The address of a web site, without a trailing slash."""

KeyBytes = Annotated[SecretBytes, BeforeValidator(_key_bytes), AfterValidator(_at_least_32)]
"""A secret key, written as base64url of at least 32 bytes."""


def settings_config(
    service: str = "", foreign: Mapping[str, tuple[str, ...]] | None = None
) -> SettingsConfigDict:
    """Say how a settings class reads the environment.

    Args:
        service: whose own variables win, where one is named.
        foreign: by field, further variables that count where ours are absent: the names by which
            users of the systems whose wire we speak know the same setting.
    """
    prefixes = (f"{PREFIX}{service.upper()}_", PREFIX) if service else (PREFIX,)

    def names(field: str) -> AliasChoices:
        ours = (prefix + field.upper() for prefix in prefixes)
        return AliasChoices(*ours, *(foreign or {}).get(field, ()))

    return SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=names),
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


class Settings(BaseSettings):
    """What every process reads. Subclasses add their own fields; every field is documented."""

    model_config = settings_config()

    profile: Literal["development", "production"] = Field(
        "production", description="Whether development conveniences exist."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe log line that is written."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="One JSON object a line, or coloured lines for a person."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    broker_url: SecretStr | None = Field(
        None, description="Where events travel: amqp:// (RabbitMQ) or postgres:// (schema bus)."
    )
    root_secret: KeyBytes | None = Field(
        None,
        description="Keys are derived from it where they are not given (base64url, 32 bytes).",
    )

    @property
    def is_development(self) -> bool:
        """Whether development conveniences (printed secrets, file mail) exist."""
        return self.profile == "development"


class ServiceSettings(Settings):
    """What every domain service reads; a subclass names its service and its configuration."""

    service: ClassVar[str]

    port: int = Field(8000, ge=1, le=65535, description="The port to listen on.")
    database_url: SecretStr = Field(description="The service's own role and database, postgres://.")
    database_pool_size: int = Field(8, ge=1, le=200, description="Most connections to keep open.")
    database_statement_cache: bool = Field(
        True, description="Keep prepared statements; turn off behind PgBouncer."
    )
    assertion_key: KeyBytes | None = Field(
        None, description="Shared with the gateway only; derived from the root secret if absent."
    )
    sibling_key: KeyBytes | None = Field(
        None,
        description="Shared with sibling services, opens only what they may ask; derived from the "
        "root secret if absent.",
    )
    serve_background: bool = Field(
        True, description="Whether serve also relays and consumes events; off where work does."
    )

    @model_validator(mode="after")
    def _needs_a_key(self) -> Self:
        if self.assertion_key is None and self.root_secret is None:
            raise ValueError("assertion_key or root_secret must be given")
        return self

    def key_for_assertions(self) -> bytes:
        """Give the 32 bytes under which the gateway signs for this service."""
        if self.assertion_key is not None:
            return self.assertion_key.get_secret_value()
        assert self.root_secret is not None  # the validator saw to it
        return derive(self.root_secret.get_secret_value(), assertion_purpose(self.service))

    def key_for_siblings(self) -> bytes | None:
        """Give the key under which sibling services ask this one; None where none can."""
        if self.sibling_key is not None:
            return self.sibling_key.get_secret_value()
        if self.root_secret is None:
            return None
        return derive(self.root_secret.get_secret_value(), sibling_purpose(self.service))


def sibling_purpose(service: str) -> str:
    """Name the purpose under which the key is derived by which siblings ask a service."""
    return f"sibling:{service}"


def assertion_purpose(service: str) -> str:
    """Name the purpose under which a service's assertion key is derived."""
    return f"assertion:{service}"


SettingsT = TypeVar("SettingsT", bound=Settings)


def variable_names(settings: type[Settings], field: str) -> tuple[str, ...]:
    """List the environment variables of a field, the one that wins first."""
    alias = settings.model_fields[field].validation_alias
    assert isinstance(alias, AliasChoices)  # the alias generator made it
    return tuple(str(choice) for choice in alias.choices)


def read(settings: type[SettingsT]) -> SettingsT:
    """Read settings from the environment. An empty variable counts as absent.

    Raises:
        SettingsError: naming every variable that is missing or bad.
    """
    try:
        return settings()
    except ValidationError as error:
        raise SettingsError(settings, error) from None


class SettingsError(Exception):
    """One or more settings are missing or bad; the text names each, never its value."""

    def __init__(self, settings: type[Settings], error: ValidationError) -> None:
        self.problems = []
        for fault in error.errors(include_input=False, include_url=False):
            name = str(fault["loc"][0]) if fault["loc"] else settings.__name__
            message = "is missing" if fault["type"] == "missing" else fault["msg"]
            self.problems.append(f"{name}: {message}")
        super().__init__("\n".join(self.problems))


def read_or_exit(settings: type[SettingsT]) -> SettingsT:
    """Read settings, or print every problem and exit with status 78 (EX_CONFIG)."""
    try:
        return read(settings)
    except SettingsError as error:
        _exit(error)


def _exit(error: SettingsError) -> NoReturn:
    sys.stderr.write("Settings are wrong:\n")
    for problem in error.problems:
        sys.stderr.write(f"  {problem}\n")
    raise SystemExit(78)
