"""Which processes make up the system, and what each may know.

A child gets PATH, HOME and their like, and the variables its own settings class declares, nothing
else: so its own database login and its own keys. The worker of runs gets what suites may name, too.
For each field the value comes, first found, from

1. the variable of that process alone (``GUILDHALL_AUTH_LOG_LEVEL``),
2. what is worked out here: ports, logins, derived keys, the addresses of siblings,
3. the variable for all (``GUILDHALL_LOG_LEVEL``), or an alias the field declares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, get_args

from pydantic import SecretBytes

from guildhall.secret_files import Secrets
from guildhall.settings import CommandSettings
from services.runs.engine.browser import programs
from services.runs.engine.grammar import allowed_environment_name
from shared.secret import derive, encode_base64url
from shared.settings import (
    PREFIX,
    SERVICES,
    KeyBytes,
    Settings,
    assertion_purpose,
    sibling_purpose,
    variable_names,
)

_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")

_KEEPS_FILES: Final = frozenset({"learnings", "runs"})
"""Who gets the AWS_* variables too, where files are kept in S3."""

_TRACES: Final = frozenset({"gateway"})
"""Who gets the OTEL_* variables too, which OpenTelemetry reads itself."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the system.

    Attributes:
        name: stands in front of its log lines.
        module: run with ``python -m``.
        arguments: follow the module.
        environment: all of it.
        ready_url: answers 200 when the process can work; None where there is no HTTP.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str | None


class Plan:
    """Works out the processes from the settings, the secrets and the machine's environment.

    Args:
        settings: of the command.
        secrets: the root secret and what is handed to auth.
        database_url: gives the login for a schema, the ``bus`` included.
        environment: the machine's.
    """

    def __init__(
        self,
        settings: CommandSettings,
        secrets: Secrets,
        database_url: Callable[[str], str],
        environment: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._database_url = database_url
        self._environment = {name: value for name, value in environment.items() if value}

    def gateway(self) -> Process:
        """Describe the gateway: it knows every assertion key and no database."""
        settings = self._settings
        worked_out = {
            **self._common(),
            "host": settings.host,
            "port": str(settings.port),
            "metrics_port": str(settings.metrics_port),
        }
        url = f"http://{_in_url(settings.host)}:{settings.port}/health/ready"
        return Process("gateway", "gateway", (), self._for("gateway", worked_out), url)

    def services(self) -> list[Process]:
        """Describe the services, and a worker for each whose HTTP process leaves that work to one.

        Runs always has a worker of its own, because driving browsers is no work for a server.
        """
        found = []
        for service in SERVICES:
            module, environment = f"services.{service}", self._for_service(service)
            url = f"http://127.0.0.1:{self._settings.service_port(service)}/health/ready"
            if service == "runs" or _is_off(environment, service):
                own = self._for_runs() if service == "runs" else {}
                working = own | environment
                found.append(Process(f"{service} work", module, ("work",), working, None))
            found.append(Process(service, module, ("serve",), environment, url))
        return found

    def _for_runs(self) -> dict[str, str]:
        """Give where browsers are, and what a suite's ``env:`` may name (contract, section 4.1)."""
        given = self._environment.items()
        return {
            name: value
            for name, value in given
            if name == programs.FOLDER or allowed_environment_name(name)
        }

    def _for_service(self, service: str) -> dict[str, str]:
        settings, secrets = self._settings, self._secrets
        worked_out = {
            **self._derived_keys(service),
            **self._common(),
            "host": "127.0.0.1",
            "port": str(settings.service_port(service)),
            "database_url": self._database_url(service),
            "signing_keys": secrets.signing_keys,
            "service_admin_password": secrets.service_admin_password,
        }
        return self._for(service, worked_out)

    def _common(self) -> dict[str, str]:
        settings = self._settings
        broker = settings.broker_url and settings.broker_url.get_secret_value()
        own = f"http://{_in_url(settings.host)}:{settings.port}"
        siblings = {}
        for service in SERVICES:
            siblings[f"{service}_url"] = f"http://127.0.0.1:{settings.service_port(service)}"
            given = self._environment.get(f"{PREFIX}{service.upper()}_ASSERTION_KEY")
            key = given or self._key(assertion_purpose(service))
            siblings[f"{service}_assertion_key"] = key
            asked = self._environment.get(f"{PREFIX}{service.upper()}_SIBLING_KEY")
            siblings[f"{service}_sibling_key"] = asked or self._key(sibling_purpose(service))
        return {
            **siblings,
            "profile": settings.profile,
            "data_dir": str(settings.directory),
            "public_url": self._environment.get(f"{PREFIX}PUBLIC_URL", own),
            "broker_url": broker or self._database_url("bus"),
            "log_format": "json",  # for the supervisor, which makes it pretty for people
        }

    def _derived_keys(self, service: str) -> dict[str, str]:
        """Derive every key that a service's settings name ``<purpose>_key``."""
        fields = settings_class(service).model_fields
        return {
            name: self._key(f"{name.removesuffix('_key')}:{service}")
            for name, field in fields.items()
            if name.endswith("_key")
            and (field.annotation is SecretBytes or KeyBytes in get_args(field.annotation))
        }

    def _key(self, purpose: str) -> str:
        return encode_base64url(derive(self._secrets.root, purpose))

    def _for(self, owner: str, worked_out: Mapping[str, str]) -> dict[str, str]:
        given = self._environment
        result: dict[str, str] = {name: given[name] for name in _PASSED_ON if name in given}
        cls = settings_class(owner)
        for field in cls.model_fields:
            if field == "root_secret":  # opens everything; only derived keys leave this process
                continue
            names = variable_names(cls, field)
            own = [name for name in names if name.startswith(f"{PREFIX}{owner.upper()}_")]
            for name in own:
                if name in given:
                    result[name] = given[name]
            if not any(name in result for name in own):
                if field in worked_out:
                    result[names[0]] = worked_out[field]
                else:
                    result.update({name: given[name] for name in names if name in given})
        if owner in _TRACES:
            result |= {name: value for name, value in given.items() if name.startswith("OTEL_")}
        if owner in _KEEPS_FILES and any(_is_s3(name, value) for name, value in result.items()):
            result |= {name: value for name, value in given.items() if name.startswith("AWS_")}
        return result


def settings_class(owner: str) -> type[Settings]:
    """Find the settings class of ``gateway`` or of a service: the one its ``settings`` defines."""
    package = "gateway" if owner == "gateway" else f"services.{owner}"
    module = import_module(f"{package}.settings")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Settings)
        and value.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} must define one settings class"
    return found[0]


def missing_browser(environment: Mapping[str, str]) -> str | None:
    """Say which browser runs miss; None where they have one, here or elsewhere."""
    cls = settings_class("runs")

    def given(field: str) -> str:
        return next(filter(None, map(environment.get, variable_names(cls, field))), "")

    return None if given("browser_endpoint") else programs.missing(given("chromium"), environment)


def _is_s3(name: str, value: str) -> bool:
    return name.endswith("ARTIFACTS_URL") and value.startswith("s3://")


def _in_url(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"[{host}]" if ":" in host else host


def _is_off(environment: Mapping[str, str], service: str) -> bool:
    names = variable_names(settings_class(service), "serve_background")
    given = next((environment[name] for name in names if name in environment), "1")
    return given.strip().lower() in ("0", "false", "no", "off", "f", "n")
