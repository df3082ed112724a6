"""Use cases of messages (agents contract, section 4.6)."""

from __future__ import annotations

from services.agents.messages.operations.clearing import clear, complete
from services.agents.messages.operations.posting import post
from services.agents.messages.operations.reading import count, list_page, write_items
from services.agents.messages.operations.replying import add_reply, is_answered, turn_input

__all__ = [
    "add_reply",
    "clear",
    "complete",
    "count",
    "is_answered",
    "list_page",
    "post",
    "turn_input",
    "write_items",
]
