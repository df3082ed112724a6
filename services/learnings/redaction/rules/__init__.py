"""What is taken out of texts, and what must survive (learnings contract, section 6.7).

Secrets are taken out by ``shared.redaction``; the rules here are written like those, for long
texts that are nearly always clean and for hostile ones.
"""

from __future__ import annotations

from typing import Final

from services.learnings.redaction.rules import contacts, paths
from services.learnings.redaction.rules.paths import last_segment
from shared import redaction
from shared.redaction import PASSES, SECRET, names_a_secret, without_secrets

__all__ = [
    "SECRET",
    "is_kept",
    "last_segment",
    "names_a_secret",
    "redacted",
    "without_secrets",
]

_KEPT: Final = frozenset(
    {
        "origin_project",
        "installation_id",
        "pii_types",
        "system_canary",
        "source",
        "sync_hash",
    }
)


def redacted(text: str) -> str:
    """Give the text without addresses, numbers, secrets and absolute paths.

    The very same object comes back if there was nothing to take out.
    """
    for _ in range(PASSES):
        cleaner = contacts.removed(paths.removed(redaction.removed(text)))
        if cleaner == text:
            return text
        text = cleaner
    return text


def is_kept(name: str) -> bool:
    """Tell whether what stands under this name is what its writer signs or is known by."""
    return name in _KEPT or name.startswith("provenance_")
