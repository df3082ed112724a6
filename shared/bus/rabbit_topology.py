"""The names and properties of what the bus keeps in RabbitMQ."""

from __future__ import annotations

from typing import Any, Final

EXCHANGE: Final = "guildhall"
"""Topic exchange; the routing key is the kind."""

PARKED: Final = "guildhall.parked"
"""Queue of what cannot be decoded and what the broker gave up on."""

# The default strategy for what expires or is rejected may lose it; this one needs the overflow.
_SAFE: Final = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}

PARKED_QUEUE: Final[dict[str, Any]] = {"x-queue-type": "quorum"}

WORK_QUEUE: Final[dict[str, Any]] = {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": PARKED,
    # RabbitMQ 4 gives up after 20 deliveries, and a restart of a consumer counts as one. Attempts
    # are counted by the inbox.
    "x-delivery-limit": 1_000_000_000,
    **_SAFE,
}

BROADCAST_QUEUE: Final[dict[str, Any]] = {
    # For a process that does not keep up: the oldest go first.
    "x-max-length": 10_000,
}


def delay_name(seconds: float) -> str:
    """Name the exchange and queue of a delay; one of each per length, whatever the target."""
    return f"{EXCHANGE}.retry.{max(1, round(seconds * 1000))}"


def delay_queue(name: str) -> dict[str, Any]:
    """Say of a delay's queue that its messages expire into the queue they are addressed to."""
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": int(name.rpartition(".")[2]),
        "x-dead-letter-exchange": "",
        **_SAFE,
    }
