"""Holding what comes in and what goes out against an agent's guardrails."""

from __future__ import annotations

from services.agents.providers.models import LONGEST_MESSAGE, ProviderFailed, Speaker
from services.agents.providers.rules import guardrails
from services.agents.providers.rules.texts import shortened, storable
from shared.redaction import without_secrets


def check_input(speaker: Speaker, text: str) -> str | None:
    """Say why the agent does not take a message; None if it does.

    The reason is a sentence for the session's people; it never quotes what was blocked.
    """
    if len(text) > LONGEST_MESSAGE:
        return f"The message is longer than {LONGEST_MESSAGE:,} characters."
    rails = guardrails.read(speaker.guardrails)
    if len(text) > rails.longest_input:
        return f"The message is longer than the {rails.longest_input:,} characters it may have."
    if guardrails.is_blocked(text, rails.blocked_input):
        return "The message contains a phrase that this agent's guardrails block."
    return None


def apply_output(speaker: Speaker, text: str) -> str:
    """Give an answer as it may be stored: without secrets, and no longer than it may be.

    Raises:
        ProviderFailed: nothing is said, or something that the agent's guardrails block.
    """
    rails = guardrails.read(speaker.guardrails)
    if guardrails.is_blocked(text, rails.blocked_output):
        raise ProviderFailed("The answer was withheld by this agent's guardrails.")
    if not text.strip():
        raise ProviderFailed("The answer was empty.")
    # Secrets first: half of one would not be known for one.
    return shortened(without_secrets(storable(text)), rails.longest_output)
