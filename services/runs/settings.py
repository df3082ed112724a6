"""The runs service's settings."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from pathlib import Path
from typing import ClassVar, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from services.runs.engine.model.configuring import FOREIGN as MODEL_FOREIGN
from services.runs.engine.model.configuring import ModelSettings
from services.runs.integrations.models.configuring import FOREIGN as INTEGRATION_FOREIGN
from services.runs.integrations.models.configuring import IntegrationSettings
from shared.secret import derive
from shared.settings import KeyBytes, ServiceSettings, WebAddress, settings_config
from shared.targets import TargetSettings


def _theirs(*names: str) -> tuple[str, ...]:
    """Give the names under which users of the original know a setting, its later name too."""
    return tuple(prefix + name for name in names for prefix in ("TRIPWIRE_", "UPLIFTR_"))


FOREIGN: Final = {
    **MODEL_FOREIGN,
    **INTEGRATION_FOREIGN,
    "web_url": _theirs("BASE_URL"),
    "data_dir": _theirs("DATA_DIR"),
    "artifacts_url": _theirs("ARTIFACTS_URL"),
    "artifact_days": _theirs("ARTIFACT_DAYS"),
    "log_level": _theirs("LOG_LEVEL"),
    "url_allow": _theirs("URL_ALLOW"),
    "url_deny": _theirs("URL_DENY"),
    "max_concurrent_runs": _theirs("MAX_CONCURRENT_RUNS"),
    "requeue_interrupted": _theirs("REQUEUE_INTERRUPTED"),
    "cache": _theirs("CACHE"),
    "headless": _theirs("HEADLESS"),
    "driver": _theirs("DRIVER"),
    "browser_endpoint": _theirs("CDP"),
    "file_issues": ("FILE_ISSUES",),
    "github_api_url": ("GITHUB_API_URL",),
    "git_sha": ("GIT_SHA",),
    "ci_url": ("CI_RUN_URL",),
}
"""Variables of users who bring them along (runs contract, section 14)."""


def zone_of(name: str) -> tzinfo:
    """Give a time zone by its name; UTC on machines that know no others, too.

    Raises:
        KeyError: there is none of that name.
        ValueError: that is no name.
    """
    return UTC if name.upper() == "UTC" else ZoneInfo(name)


_ENDPOINT: Final = re.compile(r"wss?://[^\s/]+.*")


class RunsSettings(ServiceSettings, TargetSettings, ModelSettings, IntegrationSettings):
    """What every service reads, and what runs reads on top."""

    model_config = settings_config("runs", FOREIGN)
    service: ClassVar[str] = "runs"

    public_url: WebAddress = Field(
        "http://127.0.0.1:8000", description="Where clients reach the gateway."
    )
    web_url: WebAddress | None = Field(
        None, description="Of a dashboard, for links in notifications: <web_url>/runs/<id>."
    )
    data_dir: Path = Field(Path("var"), description="Where files are kept unless told otherwise.")
    artifacts_url: str | None = Field(
        None,
        description="Where large files are kept: file:///path, or s3://bucket/prefix with the "
        "AWS_* variables; <data_dir>/artifacts if absent.",
    )
    artifact_days: int = Field(
        30,
        ge=1,
        le=36_500,
        description="Days for which screenshots, traces and downloads of runs are kept; reports "
        "stay.",
    )
    run_artifact_size: int = Field(
        2 * 1_073_741_824, ge=1_048_576, description="Bytes of one run's artifacts together."
    )
    encryption_key: KeyBytes | None = Field(
        None,
        description="Under which variables of runs and other secrets that must be read back are "
        "stored; derived from the root secret if absent.",
    )
    max_concurrent_runs: int = Field(
        2, ge=1, le=64, description="Runs that one worker executes at once, each with a browser."
    )
    max_errands: int = Field(
        2,
        ge=0,
        le=64,
        description="Crawls and recordings that one worker does at once, each with a browser.",
    )
    max_errands_per_organization: int = Field(
        2, ge=1, le=64, description="Likewise of one organization, over all workers."
    )
    recording_idle_seconds: float = Field(
        1800,
        ge=1,
        le=14_400,
        description="Seconds in which nobody does anything in a recording's "
        "browser, after which it ends.",
    )
    lease_seconds: float = Field(
        15,
        ge=0.5,
        le=120,
        description="Seconds after which the runs of a worker that says nothing more are taken to "
        "be interrupted.",
    )
    requeue_interrupted: bool = Field(
        False, description="Whether an interrupted run is tried once more."
    )
    run_seconds: float = Field(
        3600, ge=1, le=86_400, description="Seconds that a run may take, all its cases together."
    )
    stop_seconds: float = Field(
        8,
        ge=0,
        le=12,
        description="Seconds that runs get to end when their worker is told to stop; those left "
        "are interrupted.",
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
    cache: Literal["", "readonly"] = Field(
        "", description="`readonly`: runs use where elements were found before, and add nothing."
    )
    headless: bool = Field(
        True, description="Whether browsers work unseen unless a run asks for a visible one."
    )
    driver: Literal["playwright"] = Field(
        "playwright", description="What moves browsers; there is nothing else yet."
    )
    chromium: str = Field(
        "", description="The browser's executable; /usr/bin/chromium, else Playwright's own."
    )
    browser_endpoint: str = Field(
        "",
        description="A remote browser to be used instead: ws://host:port/path of a Playwright "
        "server, or ws://host:port/devtools/browser/ID of Chromium's own debugging.",
    )
    browser_sandbox: bool | None = Field(
        None, description="Whether Chromium contains its pages; wherever the machine can if absent."
    )
    plan_time_zone: str = Field(
        "UTC", description="In which plans' schedules are read: a name like Europe/Berlin."
    )
    plan_grace_seconds: float = Field(
        60,
        ge=1,
        le=86_400,
        description="Seconds after which a boundary of a schedule counts as missed: it is skipped, "
        "and never made up for.",
    )
    file_issues: str = Field(
        "", description="Trackers that failures are filed with beside the built-in board."
    )
    github_api_url: WebAddress = Field(
        "https://api.github.com",
        description="GitHub's API; https://<host>/api/v3 of an Enterprise server.",
    )
    git_sha: str = Field("", max_length=200, description="The commit that reports name.")
    ci_url: str = Field("", max_length=2000, description="The CI job that reports link to.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("driver", mode="before")
    @classmethod
    def _moves_no_desktop(cls, value: object) -> object:
        if value == "desktop":
            raise ValueError(
                "desktop is not supported: runs move a browser of their own and no person's "
                "desktop; take it (or TRIPWIRE_DRIVER) away, or set it to playwright"
            )
        return value

    @field_validator("browser_endpoint")
    @classmethod
    def _is_a_socket(cls, value: str) -> str:
        if value and not _ENDPOINT.fullmatch(value):
            raise ValueError(
                "must be ws:// or wss:// and a host, as TRIPWIRE_CDP too; Chromium names its "
                "own at http://<host>:9222/json/version"
            )
        return value

    @field_validator("plan_time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            zone_of(value)
        except (ValueError, OSError, KeyError):
            raise ValueError("must name a time zone, like UTC or Europe/Berlin") from None
        return value

    @field_validator("artifacts_url")
    @classmethod
    def _is_a_store(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("file:///", "s3://")):
            raise ValueError("must be file:///path or s3://bucket/prefix")
        return value

    @model_validator(mode="after")
    def _can_encrypt(self) -> Self:
        if self.root_secret is None and self.encryption_key is None:
            raise ValueError("encryption_key or root_secret must be given")
        return self

    def key_for_secrets(self) -> bytes:
        """Give the 32 bytes under which secrets are stored that must be read back."""
        if self.encryption_key is not None:
            return self.encryption_key.get_secret_value()
        assert self.root_secret is not None  # the validator saw to it
        return derive(self.root_secret.get_secret_value(), "encryption:runs")

    def zone_of_plans(self) -> tzinfo:
        """Give the zone in which plans' schedules are read."""
        return zone_of(self.plan_time_zone)

    @property
    def files_url(self) -> str:
        """Where artifacts are kept."""
        return self.artifacts_url or (self.data_dir.resolve() / "artifacts").as_uri()

    def run_url(self, run_id: str) -> str:
        """Give where a run is shown: in the dashboard, else by the API."""
        home = self.web_url or f"{self.public_url.rstrip('/')}/api/v1"
        return f"{home.rstrip('/')}/runs/{run_id}"
