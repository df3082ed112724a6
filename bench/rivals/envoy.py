"""Envoy from PyPI: plain, or with a check of the token and a local limit for each subject."""

from __future__ import annotations

import base64
import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.process import child, first_version, free_port
from bench.rivals import LIMIT, SECRET, Rival, Server
from bench.rivals.cache import install_python, is_complete, place

_TYPES: Final = "type.googleapis.com/envoy.extensions"
_REQUIREMENTS: Final = "envoy.txt"
_TOKENS_KEPT: Final = 1_000


def _typed(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{_TYPES}.{kind}", **fields}}


def _checks() -> list[dict[str, Any]]:
    secret = base64.urlsafe_b64encode(SECRET).rstrip(b"=").decode()
    key = {"kty": "oct", "alg": "HS256", "kid": "1", "k": secret}
    provider = {
        "issuer": "bench",
        "audiences": ["bench"],
        "local_jwks": {"inline_string": json.dumps({"keys": [key]})},
        "claim_to_headers": [{"header_name": "x-sub", "claim_name": "sub"}],
        "jwt_cache_config": {"jwt_cache_size": _TOKENS_KEPT},
        "forward": True,
    }
    bucket = {"max_tokens": LIMIT, "tokens_per_fill": LIMIT, "fill_interval": "60s"}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return [
        _typed(
            "envoy.filters.http.jwt_authn",
            "filters.http.jwt_authn.v3.JwtAuthentication",
            providers={"bench": provider},
            rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
        ),
        _typed(
            "envoy.filters.http.local_ratelimit",
            "filters.http.local_ratelimit.v3.LocalRateLimit",
            stat_prefix="bench",
            token_bucket=bucket,
            filter_enabled=always,
            filter_enforced=always,
            rate_limits=[
                {"actions": [{"request_headers": {"header_name": "x-sub", "descriptor_key": "s"}}]}
            ],
            descriptors=[{"entries": [{"key": "s"}], "token_bucket": bucket}],
            max_dynamic_descriptors=_TOKENS_KEPT,
        ),
    ]


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def configuration(port: int, upstream: int, checks: bool) -> dict[str, Any]:
    """Give Envoy's configuration."""
    router = _typed("envoy.filters.http.router", "filters.http.router.v3.Router")
    route = {"match": {"prefix": "/"}, "route": {"cluster": "u", "timeout": "0s"}}
    manager = _typed(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bench",
        generate_request_id=False,
        upgrade_configs=[{"upgrade_type": "websocket"}],
        http_filters=[*(_checks() if checks else []), router],
        route_config={"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]},
    )
    endpoint = {"endpoint": {"address": _address(upstream)}}
    most = {"max_connections": 16_000, "max_pending_requests": 16_000, "max_requests": 16_000}
    cluster = {
        "name": "u",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {"cluster_name": "u", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"address": _address(port), "filter_chains": [{"filters": [manager]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _home() -> Path:
    return place("envoy", _REQUIREMENTS)


def _binary() -> Path:
    return next(iter(_home().glob("lib/python*/site-packages/envoy/_bin/envoy")), _home() / "none")


def _absent() -> str:
    if is_complete(_home()):
        return ""
    return "not installed" if platform.system() == "Linux" else "its wheel is not for this system"


@contextmanager
def _run(folder: Path, upstream: int, checks: bool) -> Iterator[Server]:
    port = free_port()
    file = folder / f"envoy-{port}.json"
    file.write_text(json.dumps(configuration(port, upstream, checks)))
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    with child([str(_binary()), "-c", str(file), *options], port) as process:
        yield Server(process.pid, port)


ENVOY: Final = Rival(
    "Envoy",
    "jwt_authn HS256 with its cache, local_ratelimit",
    version=lambda: first_version(str(_binary()), "--version", pattern=r"(?<=/)\d+\.\d+\.\d+"),
    absent=_absent,
    run=_run,
    install=lambda: install_python(_home(), _REQUIREMENTS),
)
