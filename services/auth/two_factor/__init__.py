"""Second factors: TOTP (RFC 6238) and recovery codes."""

from __future__ import annotations
