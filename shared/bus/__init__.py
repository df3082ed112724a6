"""The event bus: how services tell each other what happened.

A write and its event share one transaction (``outbox``); the ``Relay`` publishes; a ``Transport``
(RabbitMQ or PostgreSQL, chosen by URL) carries; the ``Worker`` gives each event one effect per
consumer (``inbox``), and the ``Listener`` hears broadcasts. At least once, in no promised order:
consumers may see anything twice, and compare versions where order matters.
"""

from __future__ import annotations

from shared.bus.broadcast import BroadcastSubscription, Listener
from shared.bus.events import Event, Message
from shared.bus.inbox import Parked, list_parked, replay_parked
from shared.bus.relay import Relay
from shared.bus.transport import BusUnavailable, Delivery, Transport, connect
from shared.bus.worker import Subscription, Worker, declare_queues

__all__ = [
    "BroadcastSubscription",
    "BusUnavailable",
    "Delivery",
    "Event",
    "Listener",
    "Message",
    "Parked",
    "Relay",
    "Subscription",
    "Transport",
    "Worker",
    "connect",
    "declare_queues",
    "list_parked",
    "replay_parked",
]
