"""The agent that is there from the start in the development profile (section 8.7)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.agents.agents.models import NewAgent
from services.agents.agents.operations.changing import make
from services.agents.audit.models import Origin
from shared.db import Database
from shared.log import get_logger

ASSISTANT_ID: Final = UUID("6d1f4a52-8c3e-4b7a-9d20-5e8b1c7f3a94")
"""Always the same, so that it is not made a second time after somebody has renamed it."""

ASSISTANT: Final = NewAgent(
    name="assistant",
    description="Answers with the default model",
    instructions="You are a helpful assistant.",
    model="default",
)

log = get_logger()


async def ensure_assistant(database: Database) -> None:
    """Make the agent ``assistant`` in ``default`` where it has never been. Says agent.changed.

    Harmless when several processes do it at once. A deleted one keeps its name and id, and so is
    not revived.
    """
    async with database.transaction() as connection:
        made = await make(connection, ASSISTANT_ID, ASSISTANT, None, Origin())
    if made is not None:
        log.info("agent is there", name=made.name, namespace=made.namespace)
