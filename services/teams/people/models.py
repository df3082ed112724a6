"""People as teams hears of them from auth (teams contract, section 1.1)."""

from __future__ import annotations

from datetime import datetime

from shared.api import Answer


class MachineOwner(Answer):
    """Whose machine it is, as auth says it; all but the first two is empty when nobody's.

    Attributes:
        linked: whether the link to an account holds.
        barred: whether its owner took it away, so that it may not come back by an invitation.
        account_id: the owner.
        machine_name: what they call it.
        email_digest: SHA-256 of their address, in hex.
        version: rises with each change of the link; 0 if there never was one.
    """

    linked: bool
    barred: bool = False
    version: int = 0
    account_id: str = ""
    machine_name: str = ""
    email_digest: str = ""


class RevokedMachine(Answer):
    """What auth answers when a machine is to be let go of: whether there was a link."""

    revoked: bool


class Browser(Answer):
    """Who is signed in by a browser's cookie; all but ``active`` is empty when nobody is."""

    active: bool
    account_id: str = ""
    org_id: str = ""
    email: str = ""
    name: str = ""


class Person(Browser):
    """Who sends a request; ``by_cookie`` tells that the browser's cookie says so."""

    by_cookie: bool = False


class Participant(Answer):
    """The owner of a linked machine, as teams needs to know them."""

    email_digest: str


class Participants(Answer):
    """The owners of those machines that are linked, by token."""

    owners: dict[str, Participant]


class PersonsMachine(Answer):
    """A machine that is linked with an account."""

    token: str
    machine_name: str
    last_seen_at: datetime | None = None
    version: int = 0


class PersonsMachines(Answer):
    """The machines that are linked with an account."""

    machines: list[PersonsMachine]
