"""Use cases of webhooks, by topic."""

from __future__ import annotations

from services.learnings.webhooks.operations.courier import delivering
from services.learnings.webhooks.operations.looking import (
    deliveries,
    redeliver,
    send_test,
    sweep,
)
from services.learnings.webhooks.operations.managing import (
    change,
    create,
    delete,
    page,
    rotate,
    show,
)
from services.learnings.webhooks.operations.telling import tell, tell_news

__all__ = [
    "change",
    "create",
    "delete",
    "deliveries",
    "delivering",
    "page",
    "redeliver",
    "rotate",
    "send_test",
    "show",
    "sweep",
    "tell",
    "tell_news",
]
