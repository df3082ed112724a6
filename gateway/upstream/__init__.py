"""The services behind the gateway: keep-alive pools with streaming both ways.

upstream    a service: chooses among its addresses, sends again what may be
pool        the connections to one address
connection  one HTTP/1.1 connection
exchange    one request and its answer
breaker     whether an address is worth asking
budget      how often requests may be sent again
health      the checks of all addresses
fetch       small questions of the gateway's own
"""

from __future__ import annotations

from gateway.upstream.answer_head import AnswerHead, Headers
from gateway.upstream.connection import Connection, Sink
from gateway.upstream.exchange import Exchange
from gateway.upstream.fetch import Fetched, fetch
from gateway.upstream.limits import Limits
from gateway.upstream.upstream import Loan, Upstream

__all__ = [
    "AnswerHead",
    "Connection",
    "Exchange",
    "Fetched",
    "Headers",
    "Limits",
    "Loan",
    "Sink",
    "Upstream",
    "fetch",
]
