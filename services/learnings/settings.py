"""The learnings service's settings."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.secret import derive
from shared.settings import KeyBytes, ServiceSettings, WebAddress, settings_config
from shared.targets import TargetSettings

MIB = 1_048_576


class LearningsSettings(ServiceSettings, TargetSettings):
    """What every service reads, and what learnings reads on top."""

    model_config = settings_config("learnings")
    service: ClassVar[str] = "learnings"

    public_url: WebAddress = Field(
        "http://127.0.0.1:8000", description="Where clients reach the gateway."
    )
    data_dir: Path = Field(Path("var"), description="Where files are kept unless told otherwise.")
    artifacts_url: str | None = Field(
        None,
        description="Where large files are kept: file:///path, or s3://bucket/prefix with the "
        "AWS_* variables; <data_dir>/artifacts if absent.",
    )
    encryption_key: KeyBytes | None = Field(
        None,
        description="Under which secrets that must be read back are stored; derived from the root "
        "secret if absent.",
    )
    release_signing_key: KeyBytes | None = Field(
        None,
        description="Ed25519 seed (base64url, 32 bytes) that signs releases; derived from the "
        "root secret if absent.",
    )
    similar_summary: float = Field(
        0.9,
        ge=0.8,
        le=1,
        description="Likeness of summaries from which on two are near duplicates.",
    )
    similar_detail: float = Field(
        0.8, ge=0, le=1, description="Likeness of details from which on two are near duplicates."
    )
    poll_seconds: int = Field(
        300, ge=60, le=7200, description="Seconds after which clients are told to pull again."
    )
    key_quota: int = Field(
        0, ge=0, description="Learnings that one key may record in all; 0 for no limit."
    )
    streams: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Open streams of one process at most; fewer than upstream_connections.",
    )
    streams_per_organization: int = Field(
        20, ge=1, le=100_000, description="And those of one organization."
    )
    telemetry_days: int = Field(
        90, ge=2, le=3650, description="Days for which telemetry events are kept; figures stay."
    )
    backup_size: int = Field(512 * MIB, ge=1, description="Bytes of one backup at most.")
    backups_kept: int = Field(
        10, ge=1, le=1000, description="Backups kept of each client; the oldest go."
    )
    backup_days: int = Field(
        0, ge=0, description="Days for which backups are kept; 0 for as long as there is room."
    )
    backup_quota: int = Field(
        10_240 * MIB, ge=1, description="Bytes of backups that one organization may keep."
    )
    release_size: int = Field(512 * MIB, ge=1, description="Bytes of a release's file at most.")
    embeddings_url: WebAddress | None = Field(
        None,
        description="An OpenAI-compatible service, http://host/v1, that makes vectors for search; "
        "needs pgvector. Search works without.",
    )
    embeddings_key: SecretStr | None = Field(None, description="Its key, if it wants one.")
    embeddings_model: str = Field(
        "text-embedding-3-small", description="The model it is asked for."
    )
    embeddings_size: int = Field(
        384, ge=2, le=2000, description="Numbers of one vector; the model must give as many."
    )

    @field_validator("artifacts_url")
    @classmethod
    def _is_a_store(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("file:///", "s3://")):
            raise ValueError("must be file:///path or s3://bucket/prefix")
        return value

    @model_validator(mode="after")
    def _can_encrypt_and_sign(self) -> Self:
        if self.root_secret is None:
            for name in ("encryption_key", "release_signing_key"):
                if getattr(self, name) is None:
                    raise ValueError(f"{name} or root_secret must be given")
        return self

    def key_for_secrets(self) -> bytes:
        """Give the 32 bytes under which secrets are stored that must be read back."""
        if self.encryption_key is not None:
            return self.encryption_key.get_secret_value()
        assert self.root_secret is not None  # the validator saw to it
        return derive(self.root_secret.get_secret_value(), "encryption:learnings")

    def release_seed(self) -> bytes:
        """Give the Ed25519 seed that signs releases."""
        if self.release_signing_key is not None:
            return self.release_signing_key.get_secret_value()[:32]
        assert self.root_secret is not None  # the validator saw to it
        return derive(self.root_secret.get_secret_value(), "release_signing:learnings")

    @property
    def files_url(self) -> str:
        """Where large files are kept."""
        return self.artifacts_url or (self.data_dir.resolve() / "artifacts").as_uri()
