"""The auth service's settings."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from services.auth.accounts.models import Email
from services.auth.api_keys.models import LONGEST_OVERLAP
from services.auth.external_logins.models import TrustedIssuer, read_issuers
from services.auth.service_accounts.models import KNOWN_PASSWORDS, SHORTEST_PASSWORD
from shared.secret import decode_base64url, derive
from shared.settings import (
    KeyBytes,
    ServiceSettings,
    WebAddress,
    settings_config,
)
from shared.siblings import Sibling, sibling_at
from shared.targets import TargetSettings

SEED_LENGTH: Final = 32
MOST_SIGNING_KEYS: Final = 4
SHORTEST_ADMIN_PASSWORD: Final = 8
LEAST_MEMORY: Final = 19_456
"""KiB, and the passes with it: OWASP's least for argon2id."""

LEAST_PASSES: Final = 2


_FOREIGN: Final = {
    field: (f"TRIPWIRE_{name}", f"UPLIFTR_{name}")
    for field, name in {
        "admin_email": "ADMIN_EMAIL",
        "admin_password": "ADMIN_PASSWORD",
        "deployment_mode": "DEPLOYMENT_MODE",
        "web_url": "BASE_URL",
    }.items()
}
"""Runs contract, section 14."""


class AuthSettings(ServiceSettings, TargetSettings):
    """What the auth service reads from the environment."""

    model_config = settings_config("auth", _FOREIGN)
    service: ClassVar[str] = "auth"

    public_url: WebAddress = Field(
        "http://127.0.0.1:8000", description="Where clients reach the gateway; the tokens' issuer."
    )
    data_dir: Path = Field(Path("var"), description="Where files are kept, mail without SMTP too.")
    signing_keys: SecretStr = Field(
        description="Ed25519 seeds (base64url, 32 bytes) that sign tokens, newest first, 1 to 4."
    )
    encryption_key: KeyBytes | None = Field(
        None,
        description="Under which secrets that must be read back are stored; derived from the root "
        "secret if absent.",
    )
    password_memory: int = Field(
        65_536, ge=32, le=1_048_576, description="Memory of one argon2id hash, in KiB."
    )
    password_passes: int = Field(3, ge=1, le=20, description="Passes of one argon2id hash.")
    key_rotation_overlap: int = Field(
        86_400,
        ge=0,
        le=LONGEST_OVERLAP,
        description="Seconds for which a rotated API key goes on beside the new one; 0 for none.",
    )
    admin_email: Email | None = Field(
        None, description="The first platform administrator, made at start."
    )
    admin_password: SecretStr | None = Field(
        None, description="The first platform administrator's password, at least 8 characters."
    )
    setup_open: bool = Field(
        False,
        description="In production, whether whoever comes first may make the first platform "
        "administrator; in development they always may.",
    )
    deployment_mode: Literal["selfhosted", "cloud"] = Field(
        "selfhosted",
        description="Whether people come by invitation, or may sign up and found organizations.",
    )
    web_url: WebAddress | None = Field(
        None,
        description="Where a web client is that has pages of its own, such as /accept-invite; "
        "the public URL if absent.",
    )
    service_admin_password: SecretStr | None = Field(
        None,
        description="Password of the agents surface's service account admin, made at start where "
        "there is none yet.",
    )
    smtp_url: SecretStr | None = Field(
        None,
        description="The mail server, smtp:// (STARTTLS where offered) or smtps://; without it, "
        "mail becomes files below data_dir.",
    )
    mail_from: str | None = Field(
        None, description="The sender of mail; no-reply at the public URL's host if absent."
    )

    teams_url: WebAddress | None = Field(
        None,
        description="Where the teams service listens, http://host:port; without it, what needs an "
        "answer of teams waits.",
    )
    teams_sibling_key: KeyBytes | None = Field(
        None,
        description="Under which auth asks the teams service; derived from the root secret if "
        "absent.",
    )

    issuers: SecretStr | None = Field(
        None,
        description="OpenID Connect issuers that are trusted, a JSON list of objects; see "
        "docs/external-login.md.",
    )

    @field_validator("issuers")
    @classmethod
    def _are_issuers(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            read_issuers(value.get_secret_value())
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
                raise ValueError("must be smtp:// or smtps:// and a host")
            _ = parts.port  # raises ValueError when it is no port
        return value

    @field_validator("signing_keys")
    @classmethod
    def _are_seeds(cls, value: SecretStr) -> SecretStr:
        seeds = _seeds(value.get_secret_value())
        if not 1 <= len(seeds) <= MOST_SIGNING_KEYS:
            raise ValueError(f"must hold 1 to {MOST_SIGNING_KEYS} seeds")
        if len(set(seeds)) != len(seeds):
            raise ValueError("must not hold a seed twice")
        return value

    @model_validator(mode="after")
    def _administrator_is_whole(self) -> Self:
        if (self.admin_email is None) != (self.admin_password is None):
            raise ValueError("admin_email and admin_password must be given together")
        if (
            self.admin_password is not None
            and len(self.admin_password.get_secret_value()) < SHORTEST_ADMIN_PASSWORD
        ):
            raise ValueError(f"admin_password needs {SHORTEST_ADMIN_PASSWORD} characters or more")
        return self

    @model_validator(mode="after")
    def _issuers_are_safe(self) -> Self:
        bare = [issuer for issuer in self.trusted_issuers() if not issuer.is_https]
        if any(not (self.is_development and issuer.is_local) for issuer in bare):
            raise ValueError("issuers must be https://, or on this machine in development")
        return self

    @model_validator(mode="after")
    def _service_administrator_is_safe(self) -> Self:
        if self.service_admin_password is not None and not self.is_development:
            password = self.service_admin_password.get_secret_value()
            if len(password) < SHORTEST_PASSWORD or password.casefold() in KNOWN_PASSWORDS:
                raise ValueError(
                    f"service_admin_password needs {SHORTEST_PASSWORD} characters or more in"
                    " production, and none that everybody knows"
                )
        return self

    @model_validator(mode="after")
    def _can_encrypt(self) -> Self:
        if self.encryption_key is None and self.root_secret is None:
            raise ValueError("encryption_key or root_secret must be given")
        return self

    @model_validator(mode="after")
    def _passwords_are_safe(self) -> Self:
        weak = self.password_memory < LEAST_MEMORY or self.password_passes < LEAST_PASSES
        if weak and not self.is_development:
            raise ValueError(
                f"password_memory needs {LEAST_MEMORY} KiB and password_passes {LEAST_PASSES}"
                " or more in production"
            )
        return self

    def key_for_secrets(self) -> bytes:
        """Give the 32 bytes under which secrets are stored that must be read back."""
        if self.encryption_key is not None:
            return self.encryption_key.get_secret_value()
        assert self.root_secret is not None  # the validator saw to it
        return derive(self.root_secret.get_secret_value(), "encryption:auth")

    def siblings(self) -> dict[str, Sibling]:
        """Give the services that auth may ask, by name."""
        return sibling_at(self.teams_url, self.teams_sibling_key, self.root_secret, "teams")

    def trusted_issuers(self) -> tuple[TrustedIssuer, ...]:
        """Give the issuers whose word about people and programs is taken."""
        return () if self.issuers is None else read_issuers(self.issuers.get_secret_value())

    def seeds(self) -> tuple[bytes, ...]:
        """Give the seeds of the signing keys, newest first."""
        return _seeds(self.signing_keys.get_secret_value())

    @property
    def is_setup_open(self) -> bool:
        """Whether the first-run setup of the runs surface may be used."""
        return self.is_development or self.setup_open

    @property
    def link_base(self) -> str:
        """Where links of letters lead whose pages a web client may have."""
        return self.web_url or self.public_url

    @property
    def host_name(self) -> str:
        """The host of the public URL, by which the service names itself to mail servers."""
        return urlsplit(self.public_url).hostname or "localhost"

    @property
    def sender(self) -> str:
        """The ``From`` of mail."""
        return self.mail_from or f"Guildhall <no-reply@{self.host_name}>"


def _seeds(text: str) -> tuple[bytes, ...]:
    seeds = []
    for word in text.replace(",", " ").split():
        try:
            seed = decode_base64url(word)
        except ValueError:
            raise ValueError("must be base64url without padding") from None
        if len(seed) != SEED_LENGTH:
            raise ValueError(f"each seed must have {SEED_LENGTH} bytes")
        seeds.append(seed)
    return tuple(seeds)
