"""What happens in a session as it happens, server-sent: messages and states."""

from __future__ import annotations
