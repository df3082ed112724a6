"""Servers that the gateway is measured against or with, run from generated configurations."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

SECRET: Final = b"a-shared-secret-of-the-benchmark"

_UPSTREAM: Final = """
daemon off; worker_processes 1; pid {folder}/upstream.pid; error_log {folder}/upstream.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600;
  client_body_temp_path {folder}/u1; proxy_temp_path {folder}/u2; fastcgi_temp_path {folder}/u3;
  uwsgi_temp_path {folder}/u4; scgi_temp_path {folder}/u5;
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{ default_type application/json; return 200 '{body}'; }}
  }}
}}
"""
_NGINX: Final = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600;
  client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2; fastcgi_temp_path {folder}/n3;
  uwsgi_temp_path {folder}/n4; scgi_temp_path {folder}/n5;
  upstream u {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""
_HAPROXY: Final = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:{port}
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
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 100000000 }}
"""

ANSWER: Final = json.dumps({"items": ["x" * 20] * 7, "total": 7, "page": 1, "page_size": 50})[:207]
"""What the upstream answers: as much as a small JSON answer."""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def child(
    command: Sequence[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[psutil.Process]:
    """Run a server until the context ends; enters when it listens."""
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        deadline = time.monotonic() + 20
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _configured(binary: str, option: str, text: str, file: Path, port: int) -> Iterator[int]:
    file.write_text(text)
    with child([binary, option, str(file)], port) as process:
        yield process.pid


@contextmanager
def nginx_upstream(folder: Path, port: int) -> Iterator[int]:
    """Run an nginx that answers everything at once; gives its pid."""
    text = _UPSTREAM.format(folder=folder, port=port, body=ANSWER)
    with _configured("nginx", "-c", text, folder / "upstream.conf", port) as pid:
        yield pid


@contextmanager
def nginx(folder: Path, port: int, upstream: int) -> Iterator[int]:
    """Run nginx as a plain proxy."""
    text = _NGINX.format(folder=folder, port=port, upstream=upstream)
    with _configured("nginx", "-c", text, folder / "nginx.conf", port) as pid:
        yield pid


@contextmanager
def haproxy(folder: Path, port: int, upstream: int, *, checks: bool) -> Iterator[int]:
    """Run HAProxy, plain or with a token check (HS256) and a rate limit per subject."""
    rules = _CHECKS.format(secret=SECRET.decode()) if checks else ""
    text = _HAPROXY.format(port=port, upstream=upstream, checks=rules)
    file = folder / f"haproxy-{'checks' if checks else 'plain'}.cfg"
    with _configured("haproxy", "-f", text, file, port) as pid:
        yield pid


def installed(name: str) -> bool:
    """Tell whether a program is installed."""
    return shutil.which(name) is not None


def hs256_token() -> str:
    """Make the token that HAProxy checks."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(b'{"alg":"HS256","typ":"JWT"}')
    body = part(json.dumps({"sub": "usr_1", "exp": int(time.time()) + 3600}).encode())
    signed = f"{head}.{body}"
    return f"{signed}.{part(hmac.digest(SECRET, signed.encode(), hashlib.sha256))}"


def cpu_seconds(pid: int) -> float:
    """Read the processor time that a process and its children have used."""
    process = psutil.Process(pid)
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        total += times.user + times.system
    return total


def resident_megabytes(pid: int) -> float:
    """Read the resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
