"""What is taken out of texts, and what must survive (learnings contract, section 6.7).

Texts are long and nearly always clean, so each rule looks for its needles first, which costs next
to nothing, and its pattern begins with a character or a word, so that it is tried at few places.
Hostile texts cost linear time too: quantifiers are possessive, bounded, or kept from beginning
again within a run of their own characters.
"""

from __future__ import annotations

from typing import Final

from services.learnings.redaction.rules import contacts, paths, secrets
from services.learnings.redaction.rules.paths import last_segment
from services.learnings.redaction.rules.secrets import SECRET, names_a_secret

__all__ = [
    "SECRET",
    "is_kept",
    "last_segment",
    "names_a_secret",
    "redacted",
    "without_secrets",
]

PASSES: Final = 8
"""What one pass takes out may uncover more beside it; this many times at most."""

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
        cleaner = contacts.removed(paths.removed(secrets.removed(text)))
        if cleaner == text:
            return text
        text = cleaner
    return text


def without_secrets(text: str) -> str:
    """Give the text without known secret forms, and else as it was written."""
    for _ in range(PASSES):
        cleaner = secrets.removed(text)
        if cleaner == text:
            return text
        text = cleaner
    return text


def is_kept(name: str) -> bool:
    """Tell whether what stands under this name is what its writer signs or is known by."""
    return name in _KEPT or name.startswith("provenance_")
