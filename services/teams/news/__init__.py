"""News: what the sockets of a team are told, in the order in which it was committed."""

from __future__ import annotations
