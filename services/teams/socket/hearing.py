"""What the sockets hear from the bus: bells only, whose meaning is read from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from shared.bus import BroadcastSubscription, Listener, Transport
from shared.contracts.auth import MachineRevoked
from shared.contracts.teams import (
    KnowledgeChanged,
    TaskChanged,
    TaskCreated,
    TeamDeleted,
    TeamLeft,
)

if TYPE_CHECKING:
    from services.teams.socket.sockets import Sockets

_News: TypeAlias = KnowledgeChanged | TaskCreated | TaskChanged
_Loss: TypeAlias = TeamDeleted | TeamLeft


def listener(transport: Transport, sockets: Sockets) -> Listener:
    """Make what listens for the sockets; it is to be entered.

    It goes on while there is no socket any more: these events follow people's edits and are few.
    """

    async def on_news(event: _News) -> None:
        sockets.feeds.ring(event.team_id, event.number)

    async def on_loss(event: _Loss) -> None:
        sockets.doubt(event.team_id)

    async def on_revoked(event: MachineRevoked) -> None:
        sockets.revoke(event.token)

    return Listener(
        transport,
        "teams.socket",
        [
            BroadcastSubscription(KnowledgeChanged, on_news),
            BroadcastSubscription(TaskCreated, on_news),
            BroadcastSubscription(TaskChanged, on_news),
            BroadcastSubscription(TeamDeleted, on_loss),
            BroadcastSubscription(TeamLeft, on_loss),
            BroadcastSubscription(MachineRevoked, on_revoked),
        ],
        on_gap=sockets.doubt_all,
    )
