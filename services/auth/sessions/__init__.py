"""Sessions: signing in for an access token, signing out, and whether a session still holds."""

from __future__ import annotations
