"""How the web client sees sessions (agents contract, section 4.7). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from services.agents.sessions.models import SessionItem
from services.agents.workspaces.models import CONTAINER, Status, WorkspaceSession
from shared.agents_wire import DOTS

STATUSES: Final[Mapping[str, Status]] = {
    "INIT": "pending",
    "READY": "running",
    "BUSY": "running",
    "IDLE": "stopped",
    "ERROR": "error",
    # As sessions of the ``space`` dialect show the same states.
    "init": "pending",
    "idle": "running",
    "busy": "running",
    "closed": "stopped",
    "errored": "error",
}


STOPPED: Final = "stopped"

_NOT_OF_NAMES: Final = re.compile(r"[^a-zA-Z0-9_.-]+")


def namespace_of(name: str) -> str:
    """Give the namespace for a name that somebody typed: the name itself where it can be one.

    ``Development Environment`` becomes ``development-environment``; a name without any letter or
    digit that namespaces know becomes ``workspace``.
    """
    if not _NOT_OF_NAMES.search(name) and name not in DOTS:
        return name
    return _NOT_OF_NAMES.sub("-", name.lower()).strip("-.") or "workspace"


def seen(session: SessionItem) -> WorkspaceSession:
    """Give a session in the web client's words."""
    container = session.metadata.get(CONTAINER)
    return WorkspaceSession(
        id=session.id,
        workspace_id=session.namespace,
        name=session.name,
        status=STATUSES[session.state],
        created_at=session.created_at,
        updated_at=session.last_activity_at or session.created_at,
        container_info=container if isinstance(container, dict) else None,
    )
