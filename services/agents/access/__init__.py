"""The copy of access: roles, bindings, service accounts, organizations; and who holds what."""

from __future__ import annotations
