"""HAProxy: plain, or with a check of the token and a stick table that counts its subject."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.process import first_version, free_port
from bench.rivals import LIMIT, SECRET, Rival, Server, configured, lacks

_CONFIGURATION: Final = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
frontend f
  bind 127.0.0.1:{port} backlog 4096
{checks}
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:{upstream}
"""
_CHECKS: Final = """
  stick-table type string len 64 size 100k expire 60s store http_req_rate(60s)
  http-request set-var(txn.bearer) http_auth_bearer
  http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify("HS256","{secret}") 1 }}
  http-request track-sc0 var(txn.bearer),jwt_payload_query('$.sub')
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {limit} }}
"""


@contextmanager
def _run(folder: Path, upstream: int, checks: bool) -> Iterator[Server]:
    port = free_port()
    rules = _CHECKS.format(secret=SECRET.decode(), limit=LIMIT) if checks else ""
    text = _CONFIGURATION.format(port=port, upstream=upstream, checks=rules)
    with configured("haproxy", "-f", text, folder / f"haproxy-{port}.cfg", port) as server:
        yield server


HAPROXY: Final = Rival(
    "HAProxy",
    "jwt_verify HS256, stick table",
    version=lambda: first_version("haproxy", "-v"),
    absent=lambda: lacks("haproxy"),
    run=_run,
)
