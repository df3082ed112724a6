"""The services behind the gateway: keep-alive pools with streaming both ways.

connection, exchange, answer_head: one HTTP/1.1 connection, one request on it, and what it answers.
pool: all connections to one service. fetch: small questions of our own.
"""

from __future__ import annotations

from gateway.upstream.answer_head import AnswerHead, Headers
from gateway.upstream.connection import Connection, Sink
from gateway.upstream.exchange import Exchange
from gateway.upstream.fetch import Fetched, fetch
from gateway.upstream.pool import Limits, Pool

__all__ = [
    "AnswerHead",
    "Connection",
    "Exchange",
    "Fetched",
    "Headers",
    "Limits",
    "Pool",
    "Sink",
    "fetch",
]
