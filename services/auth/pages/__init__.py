"""Pages for people: signing in, settings, approving devices. No script, no foreign asset."""

from __future__ import annotations
