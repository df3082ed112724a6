"""How a machine is shown, and what it is called before its owner names it."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

SHOWN: Final = 12
"""Characters of a token that may be shown (teams contract, sections 8 and 13)."""

LONGEST_NAME: Final = 64


def shown_token(token: str) -> str:
    """Cut a token to what its owner may recognize it by."""
    return f"{token[:SHOWN]}..."


def email_digest(email: str) -> str:
    """Give the name by which teams know a participant (teams contract, section 8)."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def name_of(user_agent: str) -> str:
    """Name a machine after its client, such as ``teamrc`` for ``teamrc/1.2 (linux)``."""
    product = user_agent.partition("/")[0]
    kept = "".join(
        character
        for character in product
        if unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
    )
    return kept.strip()[:LONGEST_NAME].strip() or "machine"
