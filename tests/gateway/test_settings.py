from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.rate_limit import Rate
from gateway.settings import GatewaySettings
from shared.secret import derive, encode_base64url
from shared.settings import SERVICES

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
    ("name", "value"),
    [
        ("ROOT_SECRET", None),
        ("AUTH_URL", "https://auth"),
        ("AUTH_URL", "auth:8001"),
        ("AUTH_URL", "http://auth/path"),
        ("PUBLIC_URL", "guildhall.test"),
        ("RATE_LIMITS", "nonsense=1/1"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy"),
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
