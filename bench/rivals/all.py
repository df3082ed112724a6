"""All rivals, in the order of the table."""

from __future__ import annotations

from typing import Final

from bench.rivals import Rival
from bench.rivals.envoy import ENVOY
from bench.rivals.fastapi import FASTAPI
from bench.rivals.fastify import FASTIFY
from bench.rivals.haproxy import HAPROXY
from bench.rivals.nginx import NGINX
from bench.rivals.nginx_lua import NGINX_LUA

RIVALS: Final[tuple[Rival, ...]] = (HAPROXY, NGINX_LUA, NGINX, ENVOY, FASTIFY, FASTAPI)
