"""Working on sessions beside requests: ``working`` is the service's background."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from services.agents.providers.operations import Providers
from services.agents.sessions.models import State
from services.agents.sessions.operations import Bell
from services.agents.settings import AgentsSettings
from services.agents.turns.operations.answering import Doer
from services.agents.turns.operations.runners import InProcess, Runner
from services.agents.turns.operations.tending import Tender, sweep
from services.agents.turns.operations.worker import Limits, TurnWorker
from shared.bus import BroadcastSubscription, Listener, Transport
from shared.contracts.agents import MessagePosted, SessionChanged, SessionCreated
from shared.db import Database
from shared.service import Resources
from shared.siblings import Siblings
from shared.streams import Draining

__all__ = ["InProcess", "Limits", "Runner", "TurnWorker", "sweep", "working"]


@asynccontextmanager
async def working(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Work on sessions until the context is left; what is under way then is given to others."""
    settings: AgentsSettings = resources[AgentsSettings]
    bell: Bell = resources[Bell]
    runner: Runner = resources.get(Runner) or InProcess()
    doer = Doer(resources[Providers], resources[Siblings], runner, settings.model_seconds)
    limits = Limits(
        turns=settings.turns,
        lease_s=settings.turn_lease_seconds,
        transactions=max(1, settings.database_pool_size // 2),
    )
    worker = TurnWorker(database, doer, bell, resources[Draining], limits)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_listener(resources[Transport], worker, bell))
        await stack.enter_async_context(worker)
        await stack.enter_async_context(Tender(database, bell, runner))
        yield


def _listener(transport: Transport, worker: TurnWorker, bell: Bell) -> Listener:
    """Make what hears of work that other processes add, and of sessions that they take away."""

    async def on_created(_: SessionCreated) -> None:
        bell.rung.set()

    async def on_posted(event: MessagePosted) -> None:
        if event.role == "USER":
            bell.rung.set()

    async def on_changed(event: SessionChanged) -> None:
        # BUSY says only that a turn is to be run, which its message has said already.
        if event.state != State.BUSY:
            worker.holdings.doubt(UUID(event.session_id))
            bell.rung.set()

    heard = (
        BroadcastSubscription(SessionCreated, on_created),
        BroadcastSubscription(MessagePosted, on_posted),
        BroadcastSubscription(SessionChanged, on_changed),
    )
    return Listener(transport, "agents.turns", heard, on_gap=bell.rung.set)
