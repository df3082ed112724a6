"""Audit events in rows, and where a request came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.agents.access.models import Owner
from shared.api import Call

LONGEST_USER_AGENT: Final = 300
LONGEST_DETAIL: Final = 300
"""Characters of one detail."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from.

    Attributes:
        client: the network address; empty for what the service does by itself.
        user_agent: what the client calls itself, cut to a length that can be kept.
        request_id: as the logs show it.
    """

    client: str = ""
    user_agent: str = ""
    request_id: str = ""

    @classmethod
    def of(cls, call: Call[Any, Any]) -> Origin:
        """Take it from a call, with the client's name for itself printable and cut."""
        told = call.headers.get("user-agent", "")
        printable = "".join(character for character in told if character.isprintable())
        return cls(call.client, printable[:LONGEST_USER_AGENT], call.request_id)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that was done.

    Attributes:
        action: ``noun.verb``, such as ``agent.created``.
        owner: who did it; None for what the service does by itself.
        origin: where the request came from.
        target: the id of what it was done to.
        namespace: where that is.
        detail: a few words more; never a secret, a prompt or a message.
    """

    action: str
    owner: Owner | None
    origin: Origin
    target: str
    namespace: str
    detail: Mapping[str, str]
