"""The pages for people: signing in, allowing a device, and looking after an account."""

from __future__ import annotations
