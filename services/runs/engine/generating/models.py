"""What a crawl saw of an application, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[str, StringConstraints(max_length=300)]
Address = Annotated[str, StringConstraints(max_length=2000)]

FormKind = Literal["login", "signup", "search", "other"]


class _Seen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeenField(_Seen):
    """A field of a form that a person can see and fill."""

    label: Words = ""
    """Its accessible name: the words by which a step finds it."""
    name: Words = ""
    type: Annotated[str, StringConstraints(max_length=40)] = "text"
    """The input's type, or ``select``, ``textarea``."""
    required: bool = False
    minlength: int | None = None
    maxlength: int | None = None
    min: Words | None = None
    max: Words | None = None
    pattern: Words | None = None
    options: tuple[Words, ...] = Field(default=(), max_length=50)
    """Labels of a select's options, or of the radio buttons of one name."""
    autocomplete: Words = ""
    secret: bool = False
    """A password field, or one named like a secret."""
    value: Words = ""
    """What it holds before anybody types; always empty for a secret one."""


class SeenForm(_Seen):
    """A form, or fields with a button that belong together."""

    name: Words = ""
    """Its accessible name or the heading above it."""
    method: Literal["get", "post", "dialog"] = "get"
    action: Address = ""
    """Where it is sent, absolute; empty where a script sends it."""
    fields: tuple[SeenField, ...] = Field(default=(), max_length=60)
    submit: Words = ""
    """The accessible name of the button that sends it; empty where there is none."""
    danger: bool = False
    """It deletes, pays, logs out or the like: never sent."""
    kind: FormKind = "other"
    validates: bool = True
    """Whether the browser checks its fields before it is sent (no ``novalidate``)."""


class SeenLink(_Seen):
    """A link to a page of the same origin."""

    name: Words
    url: Address
    danger: bool = False


class SeenPage(_Seen):
    """One page as it was after its scripts had settled."""

    path: Address
    """Path and query under the site's origin, beginning with ``/``."""
    title: Words = ""
    headings: tuple[Words, ...] = Field(default=(), max_length=30)
    """Visible headings, the first level first."""
    links: tuple[SeenLink, ...] = Field(default=(), max_length=200)
    buttons: tuple[Words, ...] = Field(default=(), max_length=100)
    """Accessible names of visible buttons, those of forms among them."""
    forms: tuple[SeenForm, ...] = Field(default=(), max_length=20)
    status: int = 200
    """What the server answered for it."""
    behind_login: bool = False
    """Seen only because the crawl was logged in."""


class SiteMap(_Seen):
    """What was seen of a site, in the order in which it was found."""

    base_url: Address
    pages: tuple[SeenPage, ...] = Field(default=(), max_length=200)
    truncated: bool = False
    """Whether there was more than the crawl's budget."""


@dataclass(frozen=True)
class Case:
    """A case to be written: ``area`` is the part of the application that it tries."""

    id: str
    title: str
    area: str
    steps: tuple[Mapping[str, Any], ...] = ()
    expect: tuple[Mapping[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    fixtures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    depends_on: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    auth: Mapping[str, str] = field(default_factory=dict)
    """A log-in that comes first, without a password in clear text."""
    skip: str = ""
    """Why it is not to be run as it is; empty: it is."""


@dataclass(frozen=True)
class Account:
    """The account to log in with; its password is named, never written."""

    username: str
    login_path: str = ""


class NothingUsable(Exception):
    """Raised when no case can be made; the text says why, for people."""
