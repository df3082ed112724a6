"""nginx: the upstream of all, and a proxy, plain or with a check and a count in Lua."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.process import first_version, free_port
from bench.rivals import Rival, Server, configured, lacks

_SERVER: Final = """
daemon off; worker_processes 1; worker_rlimit_nofile 16000; {modules}
pid {folder}/nginx-{port}.pid; error_log {folder}/nginx-{port}.log crit;
events {{ worker_connections 8000; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600; sendfile on;
  client_max_body_size 0;
  client_body_temp_path {folder}/n{port}1; proxy_temp_path {folder}/n{port}2;
  fastcgi_temp_path {folder}/n{port}3; uwsgi_temp_path {folder}/n{port}4;
  scgi_temp_path {folder}/n{port}5;
  {http}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    {server}
  }}
}}
"""
_ANSWER: Final = """
    location / {{ default_type application/json; return 200 '{body}'; }}
    location /v1/releases/ {{ root {folder}/files; }}
"""
_UPSTREAM: Final = """
  upstream u {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  map $http_upgrade $connection_of_upgrade {{ default upgrade; '' ''; }}
"""
_FORWARD: Final = """
    location / {{
      {access}
      proxy_pass http://u; proxy_http_version 1.1; proxy_request_buffering off;
      proxy_max_temp_file_size 0; proxy_read_timeout 600s;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_of_upgrade;
    }}
"""

ANSWER: Final = json.dumps({"items": ["x" * 20] * 7, "total": 7, "page": 1, "page_size": 50})[:207]
"""What the upstream answers: as much as a small JSON answer."""


def configuration(folder: Path, port: int, http: str, server: str, modules: str = "") -> str:
    """Give a configuration of one worker, its files in a folder."""
    if os.geteuid() == 0:  # the workers read what lies in the folder
        modules = f"user root; {modules}"
    return _SERVER.format(folder=folder, port=port, http=http, server=server, modules=modules)


def forwarding(upstream: int, access: str = "") -> tuple[str, str]:
    """Give what a proxy says of its upstream: for ``http`` and for ``server``."""
    return _UPSTREAM.format(upstream=upstream), _FORWARD.format(access=access)


@contextmanager
def nginx_upstream(folder: Path) -> Iterator[Server]:
    """Run an nginx that answers everything at once, and files of ``folder/files``."""
    port = free_port()
    text = configuration(folder, port, "", _ANSWER.format(folder=folder, body=ANSWER))
    with configured("nginx", "-c", text, folder / f"nginx-{port}.conf", port) as server:
        yield server


@contextmanager
def _plain(folder: Path, upstream: int, checks: bool) -> Iterator[Server]:
    port = free_port()
    text = configuration(folder, port, *forwarding(upstream))
    with configured("nginx", "-c", text, folder / f"nginx-{port}.conf", port) as server:
        yield server


NGINX: Final = Rival(
    "nginx",
    "",
    version=lambda: first_version("nginx", "-v"),
    absent=lambda: lacks("nginx"),
    run=_plain,
)
