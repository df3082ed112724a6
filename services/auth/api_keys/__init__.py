"""API keys: made, listed and revoked by an organization's admins; checked for the gateway."""

from __future__ import annotations
