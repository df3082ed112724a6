"""Inviting people into an organization by mail, with a role."""

from __future__ import annotations
