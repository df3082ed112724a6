"""Workspaces and their sessions on the wire (agents contract, section 4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from services.agents.sessions.models import metadata_text
from services.agents.sessions.models.wire import SessionName
from shared.agents_wire import Description, Timestamp
from shared.api import Answer, Body
from shared.pagination import ArrayQuery

CONTAINER: Final = "container_info"
"""Under this name a session's metadata keep it."""

DEFAULT_IMAGE: Final = "ubuntu:latest"

Status = Literal["running", "stopped", "pending", "error"]


Title = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f\x7f]+$"
    ),
]
"""What people call a workspace: any text of one line that is no path."""


class NewWorkspace(Body):
    """``POST /api/v0/workspaces``; a name that no namespace can have becomes its title."""

    name: Title
    description: Description | None = None


class WorkspaceItem(Answer):
    """A namespace, which is its id; its name is how it was called by whoever made it."""

    id: str
    name: str
    description: str | None
    created_at: Timestamp
    updated_at: Timestamp


class WorkspaceQuery(ArrayQuery):
    """The query of the list of workspaces."""


class ContainerInfo(Body):
    """What the web client calls a session's container; kept, and shown to it again."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=255)] = DEFAULT_IMAGE
    ports: Annotated[list[Any], Field(max_length=100)] = []
    environment: Annotated[dict[str, Any], Field(max_length=1000)] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: inner for name, inner in value.items() if inner is not None}


def metadata_of(container: ContainerInfo) -> dict[str, Any]:
    """Give the metadata that keep it."""
    return {CONTAINER: container.model_dump()}


def _can_be_kept(container: ContainerInfo) -> ContainerInfo:
    metadata_text(metadata_of(container))
    return container


class WorkspaceSessionRequest(Body):
    """``POST /api/v0/workspaces/{id}/sessions``; one that is made ``stopped`` waits for a start."""

    name: SessionName | None = None
    status: Annotated[str, StringConstraints(max_length=255)] = ""
    container_info: Annotated[ContainerInfo, AfterValidator(_can_be_kept)] = ContainerInfo()

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: inner for name, inner in value.items() if inner is not None}


class WorkspaceSession(Answer):
    """A session; ``container_info`` only where it was made with one."""

    id: UUID
    workspace_id: str
    name: str
    status: Status
    created_at: Timestamp
    updated_at: Timestamp
    container_info: Mapping[str, Any] | None = None

    @model_serializer(mode="wrap")
    def _without_null(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.container_info is None:
            del written[CONTAINER]
        return written


class WorkspaceSessionQuery(ArrayQuery):
    """The query of a workspace's sessions: all that the caller may list, unless some are named."""

    created_by: Annotated[str | None, StringConstraints(max_length=320)] = None

    @model_validator(mode="before")
    @classmethod
    def _let_empty_be_absent(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: text for name, text in value.items() if text != ""}


@dataclass(frozen=True, slots=True)
class Workspace:
    """A namespace, whether somebody made it or something is in it.

    Attributes:
        title: what whoever made it called it, if that is no namespace's name.
        created_at: since when there is something in it, or it was made.
        updated_at: when something was last added to it.
    """

    namespace: str
    title: str | None
    description: str | None
    created_at: datetime
    updated_at: datetime

    def item(self) -> WorkspaceItem:
        """Give it as the wire shows it."""
        return WorkspaceItem(
            id=self.namespace,
            name=self.title or self.namespace,
            description=self.description,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What there is of a namespace.

    Attributes:
        is_made: somebody made it by name.
        is_used: it holds active agents or sessions.
    """

    is_made: bool
    is_used: bool
