from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.rate_limit import Rate
from gateway.settings import GatewaySettings
from gateway.upstream.breaker import Trip
from gateway.upstream.budget import Retries
from gateway.upstream.limits import Checks
from shared.secret import derive, encode_base64url
from shared.settings import SERVICES, SettingsError

ROOT = b"r" * 32


def read(**changes: object) -> GatewaySettings:
    given: dict[str, object] = {"ROOT_SECRET": encode_base64url(ROOT)} | changes
    return GatewaySettings.model_validate({f"GUILDHALL_{k}": v for k, v in given.items()})


def test_defaults_follow_the_port() -> None:
    settings = read(PORT=9000)
    assert settings.upstream_urls() == {
        "auth": "http://127.0.0.1:9001",
        "learnings": "http://127.0.0.1:9002",
        "runs": "http://127.0.0.1:9003",
        "teams": "http://127.0.0.1:9004",
        "agents": "http://127.0.0.1:9005",
    }
    assert settings.metrics == 9009
    assert read(METRICS_PORT=0).metrics == 0
    assert settings.rates()["learnings"] == Rate(500, 60)
    assert settings.proxies() == ()


def test_given_values_win() -> None:
    settings = read(
        AUTH_URL="http://auth:8001/",
        GATEWAY_AUTH_URL="http://elsewhere:1",
        RATE_LIMITS="auth=1/2",
        TRUSTED_PROXIES="10.0.0.0/8, ::1",
        TEAMS_ASSERTION_KEY=encode_base64url(b"t" * 32),
    )
    assert settings.upstream_urls()["auth"] == "http://elsewhere:1"
    assert settings.rates()["auth"] == Rate(1, 2)
    assert settings.rates()["runs"] == Rate(600, 60)
    assert len(settings.proxies()) == 2
    keys = settings.assertion_keys()
    assert keys["teams"] == b"t" * 32
    assert keys["auth"] == derive(ROOT, "assertion:auth")
    assert len(set(keys.values())) == len(SERVICES)


@pytest.mark.parametrize(
    "text", ["http://a:1 http://b:2", "http://a:1,http://b:2/", " http://a:1/ ,\n http://b:2 "]
)
def test_services_may_have_several_addresses(text: str) -> None:
    assert read(RUNS_URL=text).upstream_urls()["runs"] == "http://a:1 http://b:2"


def test_thresholds_of_services() -> None:
    limits = read().upstream_limits()
    assert (limits.trip, limits.retries, limits.checks) == (Trip(), Retries(), Checks())
    limits = read(
        UPSTREAM_FAULTS=3,
        UPSTREAM_FAULT_SHARE=0.2,
        UPSTREAM_PAUSE=2,
        UPSTREAM_LONGEST_PAUSE=1,
        UPSTREAM_CHECK_INTERVAL=0,
        UPSTREAM_CHECK_FAILURES=4,
        UPSTREAM_CHECK_PASSES=5,
        UPSTREAM_RETRY_SHARE=0,
        UPSTREAM_RETRY_MINIMUM=6,
        UPSTREAM_CONNECTIONS=7,
    ).upstream_limits()
    assert limits.trip == Trip(faults=3, share=0.2, pause=2, longest=2, failures=4, passes=5)
    assert limits.retries == Retries(share=0, minimum=6)
    assert limits.checks is None
    assert limits.connections == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROOT_SECRET", None),
        ("AUTH_URL", "https://auth"),
        ("AUTH_URL", "auth:8001"),
        ("AUTH_URL", "http://auth/path"),
        ("AUTH_URL", "http://auth:1 http://auth/path"),
        ("AUTH_URL", "http://auth:1 http://auth:1/"),
        ("AUTH_URL", "http://auth:0"),
        ("AUTH_URL", "http://auth:70000"),
        ("AUTH_URL", "http://auth?x"),
        ("AUTH_URL", "http://a..b:1"),
        ("AUTH_URL", " ".join(f"http://auth:{port}" for port in range(1, 66))),
        ("PUBLIC_URL", "guildhall.test"),
        ("RATE_LIMITS", "nonsense=1/1"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy"),
        ("RATE_LIMIT_URL", "http://store:6379"),
        ("RATE_LIMIT_URL", "redis:///0"),
        ("RATE_LIMIT_URL", "redis://store/first"),
        ("RATE_LIMIT_URL", "redis://store?ssl_cert_reqs=none"),
        ("RATE_LIMIT_URL", "redis://:pass/word@store:1"),
        ("RATE_LIMIT_TIMEOUT", 0),
        ("CORS_ORIGINS", "example.com"),
        ("CORS_ORIGINS", "https://a.test/path"),
        ("CORS_ORIGINS", "* https://a.test"),
        ("PORT", 0),
        ("TEAMS_ASSERTION_KEY", "short"),
        ("UPSTREAM_TIMEOUT", 0),
    ],
)
def test_bad_values_are_named(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        read(**{name: value})


@pytest.mark.parametrize(
    "url",
    ["redis://store", "valkey://:word@store:6380/2", "rediss://me:word@[::1]:6380/", "valkeys://s"],
)
def test_store_of_shared_limits(url: str) -> None:
    given = read(RATE_LIMIT_URL=url).rate_limit_url
    assert given is not None
    assert given.get_secret_value() == url
    assert "word" not in str(given)
    assert read().rate_limit_url is None


@pytest.mark.parametrize("url", ["redis://:p4ssw0rd@store:port/0", "redis://:p4ssw0rd@[store/0"])
def test_bad_store_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ValidationError) as raised:
        read(RATE_LIMIT_URL=url)
    assert "p4ssw0rd" not in str(SettingsError(GatewaySettings, raised.value))
    assert "p4ssw0rd" not in str(raised.value)
