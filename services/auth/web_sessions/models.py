"""The cookie of a browser, and who it signs in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.api import Answer, Body
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class WebSession:
    """A browser that is signed in.

    Attributes:
        principal: the person, as the gateway would introduce them for an access token.
        email: of their account.
        name: of their account.
        remembered: whether the cookie outlives the browser.
        created_at: when the cookie was given.
    """

    principal: Principal
    email: str
    name: str
    remembered: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class NewCookie:
    """A cookie as it is given once.

    Attributes:
        value: the secret.
        max_age: seconds, or None for one that goes with the browser.
    """

    value: str
    max_age: int | None


class CookieQuestion(Body):
    """``POST /internal/web-sessions/check``: a browser's whole ``Cookie`` header."""

    cookie: Annotated[str, Field(max_length=16_384, repr=False)]


class PersonQuestion(Body):
    """``POST /internal/people/check``: a request's ``Authorization`` and ``Cookie`` headers."""

    authorization: Annotated[str, Field(max_length=16_384, repr=False)] = ""
    cookie: Annotated[str, Field(max_length=16_384, repr=False)] = ""


class CookieVerdict(Answer):
    """Who is signed in; all but ``active`` is empty when nobody is."""

    active: bool
    account_id: str = ""
    session_id: str = ""
    org_id: str = ""
    role: str = ""
    email: str = ""
    name: str = ""


class PersonVerdict(CookieVerdict):
    """Who sends a request; all but ``active`` is empty when nobody does.

    ``by_cookie`` says that the browser's cookie told so, which it sends by itself: whoever changes
    something then checks where the request comes from.
    """

    by_cookie: bool = False
