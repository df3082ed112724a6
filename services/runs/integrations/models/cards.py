"""The envelope of messages to Teams."""

from __future__ import annotations

from typing import Any


def card(body: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Wrap the elements of an Adaptive Card as Teams' incoming webhooks take it."""
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        **more,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": kind, "contentUrl": None, "content": content}],
    }
