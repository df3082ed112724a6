"""People as teams hears of them from auth (teams contract, section 1.1)."""

from __future__ import annotations

from shared.api import Answer


class MachineOwner(Answer):
    """Whose machine it is, as auth says it; all but the first two is empty when nobody's.

    Attributes:
        linked: whether the link to an account holds.
        barred: whether its owner took it away, so that it may not come back by an invitation.
        account_id: the owner.
        machine_name: what they call it.
        email_digest: SHA-256 of their address, in hex.
    """

    linked: bool
    barred: bool = False
    account_id: str = ""
    machine_name: str = ""
    email_digest: str = ""


class RevokedMachine(Answer):
    """What auth answers when a machine is to be let go of: whether there was a link."""

    revoked: bool
