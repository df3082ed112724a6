"""Logins of devices without a browser: begun there, approved elsewhere (RFC 8628)."""

from __future__ import annotations
