"""The cookie of a browser, and who it signs in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
