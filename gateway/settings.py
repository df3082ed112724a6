"""The gateway's settings."""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from gateway.pipeline.cors import Origins, parse_origins
from gateway.rate_limit import Rate, default_rates, parse_rates
from gateway.upstream.breaker import Trip
from gateway.upstream.budget import Retries
from gateway.upstream.limits import Checks, Limits
from gateway.websocket.sockets import SocketLimits
from shared.secret import derive
from shared.settings import (
    SERVICES,
    KeyBytes,
    Settings,
    WebAddress,
    assertion_purpose,
    settings_config,
)
from shared.surfaces import Surface

METRICS_OFFSET: Final = 9
STORE_SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys")
MOST_ADDRESSES: Final = 64


def _upstream(service: str) -> str:
    offset = SERVICES.index(service) + 1
    return (
        f"Where {service} listens, http://host:port, or several such addresses, space separated; "
        f"this host's port plus {offset} if absent."
    )


_ORIGINS: Final = "The same for the {} surface alone; wins over the general setting."
_RUNS_PAGES: Final = "http://localhost:3400 http://localhost:5173"
_CONTRACT_ORIGINS: Final = {Surface.RUNS: _RUNS_PAGES}
_DEVELOPMENT_ORIGINS: Final = {
    Surface.LEARNINGS: f"http://localhost:3000 {_RUNS_PAGES}",
    Surface.AGENTS: f"http://localhost:3000 {_RUNS_PAGES}",
}
_KEY: Final = "Shared with {} only (base64url, 32 bytes); derived from the root secret if absent."


class GatewaySettings(Settings):
    """What the gateway reads from the environment."""

    model_config = settings_config(
        "gateway",
        # The names by which its users know the runs surface's setting (contract, section 14).
        foreign={"runs_cors_origins": ("TRIPWIRE_CORS_ORIGINS", "UPLIFTR_CORS_ORIGINS")},
    )

    port: int = Field(8000, ge=1, le=65535, description="The port to listen on.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Prometheus metrics; port plus 9 if absent, 0 for none."
    )
    workers: int = Field(
        1, ge=0, le=64, description="Processes that share the port; 0 or `auto` for one per core."
    )
    public_url: WebAddress = Field(
        "http://127.0.0.1:8000", description="Where clients reach the gateway; the tokens' issuer."
    )
    rate_limits: str = Field(
        "",
        description="Requests per seconds by class, such as `learnings=500/60 auth=120/60`; "
        "classes not named keep their defaults.",
    )
    rate_limit_url: SecretStr | None = Field(
        None,
        description="A Valkey or Redis in which several gateways count together "
        "(`redis://[:password@]host:port/db`, `rediss://` with TLS, or `valkey://`); each process "
        "counts alone if absent.",
    )
    rate_limit_timeout: float = Field(
        0.1, gt=0, le=1, description="Seconds an answer of that store may take."
    )
    trusted_proxies: str = Field(
        "", description="Networks (CIDR) whose X-Forwarded-For is believed, space separated."
    )

    cors_origins: str = Field(
        "",
        description="Origins (`https://host`) whose pages may call the four surfaces from a "
        "browser: space separated, or a JSON list; `*` alone for everybody's, `none` for nobody's. "
        "If absent, each surface has a default: see the gateway's paper.",
    )
    learnings_cors_origins: str = Field("", description=_ORIGINS.format("learnings"))
    runs_cors_origins: str = Field("", description=_ORIGINS.format("runs"))
    teams_cors_origins: str = Field("", description=_ORIGINS.format("teams"))
    agents_cors_origins: str = Field("", description=_ORIGINS.format("agents"))
    hsts_max_age: int = Field(
        31_536_000,
        ge=0,
        le=2 * 31_536_000,
        description="Seconds for which browsers are told to come by https only "
        "(Strict-Transport-Security), where the public address is https; 0 makes them forget.",
    )

    auth_url: str = Field("", description=_upstream("auth"))
    learnings_url: str = Field("", description=_upstream("learnings"))
    runs_url: str = Field("", description=_upstream("runs"))
    teams_url: str = Field("", description=_upstream("teams"))
    agents_url: str = Field("", description=_upstream("agents"))

    auth_assertion_key: KeyBytes | None = Field(None, description=_KEY.format("auth"))
    learnings_assertion_key: KeyBytes | None = Field(None, description=_KEY.format("learnings"))
    runs_assertion_key: KeyBytes | None = Field(None, description=_KEY.format("runs"))
    teams_assertion_key: KeyBytes | None = Field(None, description=_KEY.format("teams"))
    agents_assertion_key: KeyBytes | None = Field(None, description=_KEY.format("agents"))

    upstream_connections: int = Field(
        128, ge=1, le=10_000, description="Most connections to each address of a service."
    )
    head_timeout: float = Field(
        10.0, gt=0, le=600, description="Seconds a request's head may take to arrive."
    )
    upstream_timeout: float = Field(
        30.0, gt=0, le=3600, description="Seconds a service has to begin its answer."
    )
    upstream_idle_timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds between two pieces of a body, either way."
    )
    upstream_faults: int = Field(
        5, ge=1, le=1000, description="Faults in a row that put an address out."
    )
    upstream_fault_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of faults within 10 s that puts an address out, from 50 requests on.",
    )
    upstream_pause: float = Field(
        0.5,
        gt=0,
        le=60,
        description="Seconds until an address that is out gets a request as a probe; doubles with "
        "each probe that fails.",
    )
    upstream_longest_pause: float = Field(
        10.0, gt=0, le=600, description="Seconds that such a pause may grow to."
    )
    upstream_check_interval: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds between two checks (`GET /health`) of each address; 0 for none.",
    )
    upstream_check_timeout: float = Field(2.0, gt=0, le=60, description="Seconds for a check.")
    upstream_check_failures: int = Field(
        3,
        ge=1,
        le=100,
        description="Failed checks in a row that put an address out, unless it is the last.",
    )
    upstream_check_passes: int = Field(
        2, ge=1, le=100, description="Passed checks in a row that bring an address back."
    )
    upstream_retry_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the requests of 10 s that may be sent again, where that is safe.",
    )
    upstream_retry_minimum: int = Field(
        10, ge=0, le=1000, description="Requests that may be sent again in 10 s in any case."
    )

    sockets: int = Field(
        20_000,
        ge=1,
        le=1_000_000,
        description="Most open WebSockets of one gateway process; fewer where its limit of open "
        "files (two for each, and a thousand for the rest) allows no more.",
    )
    sockets_each: int = Field(
        20,
        ge=1,
        le=1_000_000,
        description="Most open WebSockets of one machine or login in one gateway process.",
    )
    socket_idle_timeout: float = Field(
        120.0,
        gt=0,
        le=86_400,
        description="Seconds after which a WebSocket is closed on which neither end says a word.",
    )
    socket_wait: float = Field(
        20.0,
        ge=0,
        le=20,
        description="Seconds for which a WebSocket's handshake waits for a service that cannot be "
        "reached or says that it stops, before it is refused; 0 for not at all.",
    )
    socket_farewell: float = Field(
        5.0,
        ge=0,
        le=10,
        description="Seconds that services have to close their WebSockets themselves when the "
        "gateway stops; what is open then is closed with 1001.",
    )

    @field_validator("workers", mode="before")
    @classmethod
    def _may_be_auto(cls, value: object) -> object:
        return 0 if value == "auto" else value

    @field_validator("rate_limits")
    @classmethod
    def _are_rates(cls, value: str) -> str:
        parse_rates(value)
        return value

    @field_validator("rate_limit_url")
    @classmethod
    def _is_a_store(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_store(value.get_secret_value()):
            raise ValueError("must be redis://[:password@]host:port/db, rediss:// or valkey://")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @field_validator("cors_origins", *(f"{surface}_cors_origins" for surface in Surface))
    @classmethod
    def _are_origins(cls, value: str) -> str:
        parse_origins(value)
        return value

    @field_validator(*(f"{service}_url" for service in SERVICES))
    @classmethod
    def _are_upstreams(cls, value: str) -> str:
        urls = [word.rstrip("/") for word in value.replace(",", " ").split()]
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme != "http" or not parts.hostname or parts.path or parts.query:
                raise ValueError("must be http://host:port")
            if parts.port is not None and parts.port < 1:
                raise ValueError("must be http://host:port")
            parts.hostname.encode("idna")  # raises for what is no name
        if len(urls) > MOST_ADDRESSES or len(set(urls)) < len(urls):
            raise ValueError(f"must be different addresses, {MOST_ADDRESSES} at most")
        return " ".join(urls)

    @model_validator(mode="after")
    def _needs_keys(self) -> Self:
        missing = [name for name in SERVICES if getattr(self, f"{name}_assertion_key") is None]
        if missing and self.root_secret is None:
            raise ValueError(f"assertion keys missing ({', '.join(missing)}) and no root_secret")
        return self

    def upstream_urls(self) -> dict[str, str]:
        """Give the address of every service; several are space separated."""
        return {
            name: getattr(self, f"{name}_url") or f"http://127.0.0.1:{self.port + 1 + index}"
            for index, name in enumerate(SERVICES)
        }

    def upstream_limits(self) -> Limits:
        """Give what a service is allowed, and when an address of one is given up for a while."""
        checks = Checks(interval=self.upstream_check_interval, timeout=self.upstream_check_timeout)
        return Limits(
            connections=self.upstream_connections,
            head=self.upstream_timeout,
            idle=self.upstream_idle_timeout,
            trip=Trip(
                faults=self.upstream_faults,
                share=self.upstream_fault_share,
                pause=self.upstream_pause,
                longest=max(self.upstream_pause, self.upstream_longest_pause),
                failures=self.upstream_check_failures,
                passes=self.upstream_check_passes,
            ),
            retries=Retries(share=self.upstream_retry_share, minimum=self.upstream_retry_minimum),
            checks=checks if self.upstream_check_interval else None,
        )

    def assertion_keys(self) -> dict[str, bytes]:
        """Give the key shared with every service."""
        keys = {}
        for name in SERVICES:
            given: KeyBytes | None = getattr(self, f"{name}_assertion_key")
            if given is not None:
                keys[name] = given.get_secret_value()
            else:
                assert self.root_secret is not None  # the validator saw to it
                keys[name] = derive(self.root_secret.get_secret_value(), assertion_purpose(name))
        return keys

    def rates(self) -> dict[str, Rate]:
        """Give the rate of every class."""
        return default_rates() | parse_rates(self.rate_limits)

    def origins(self) -> dict[Surface, Origins]:
        """Give the origins whose pages may call each surface.

        The surface's own setting counts, else the general one, else the default: on the runs
        surface its contract's; in development the addresses of usual development servers on
        learnings and agents; on teams none (contract, section 2: only configured origins).
        """
        found = {}
        for surface in Surface:
            own: str = getattr(self, f"{surface}_cors_origins")
            default = _DEVELOPMENT_ORIGINS if self.is_development else {}
            given = own or self.cors_origins or (_CONTRACT_ORIGINS | default).get(surface, "")
            found[surface] = parse_origins(given)
        return found

    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Give the networks of trusted proxies."""
        return _networks(self.trusted_proxies)

    def socket_limits(self) -> SocketLimits:
        """Give what is allowed of sockets."""
        return SocketLimits(
            total=self.sockets,
            each=self.sockets_each,
            idle=self.socket_idle_timeout,
            wait=self.socket_wait,
            farewell=self.socket_farewell,
        )

    @property
    def processes(self) -> int:
        """How many workers share the port."""
        return self.workers or _cores()

    @property
    def metrics(self) -> int:
        """The port of the metrics, or 0 for none."""
        return self.port + METRICS_OFFSET if self.metrics_port is None else self.metrics_port


def _cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8") from None


def _is_store(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # whose text may have the password in it
        return False
    is_plain = not (parts.query or parts.fragment) and re.fullmatch(r"(/\d*)?", parts.path)
    return named and bool(is_plain) and parts.scheme in STORE_SCHEMES
