"""The services behind the gateway: keep-alive pools with streaming both ways.

connection: one HTTP/1.1 connection. pool: all to one service. fetch: small questions of our own.
"""

from __future__ import annotations

from gateway.upstream.connection import Connection, Headers, Sink
from gateway.upstream.exchange import Exchange
from gateway.upstream.fetch import Fetched, fetch
from gateway.upstream.pool import Limits, Pool

__all__ = ["Connection", "Exchange", "Fetched", "Headers", "Limits", "Pool", "Sink", "fetch"]
