"""Declaring every service's queues before any service says something.

An event of a kind that no queue is bound to is dropped. On a first start auth may speak, of the
first administrator's organization, before learnings has come up to listen.
"""

from __future__ import annotations

from importlib import import_module

from shared.bus import BusUnavailable, connect, declare_queues
from shared.settings import SERVICES


async def declare_all(broker_url: str) -> bool:
    """Bind the queues of all services; give whether the broker was there.

    When it is not, each service binds its own as soon as it is.

    Args:
        broker_url: ``amqp://`` or ``postgres://``, the latter with the login of ``bus``.
    """
    transport = await connect(broker_url)
    try:
        for name in SERVICES:
            service = import_module(f"services.{name}.app").SERVICE
            # Names and kinds only: no handler is called, so no resource is needed.
            await declare_queues(transport, name, service.subscriptions({}))
    except BusUnavailable:
        return False
    finally:
        await transport.close()
    return True
