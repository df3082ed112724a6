"""The auth service: who people are, what they belong to, and the credentials they act with.

Owns the accounts, organizations, memberships, sessions, API keys, machines, roles, role bindings,
service accounts, audit events and signing keys of all four surfaces.
Says: ``account.registered/verified/disabled/deleted.v1``, ``session.revoked.v1``,
``api_key.created/revoked.v1``, ``organization.created/deleted.v1``, ``membership.changed.v1``,
``machine.linked/revoked.v1``, ``role.changed.v1``, ``role_binding.changed.v1``,
``service_account.changed.v1``.
Hears: ``erasure.completed.v1``, ``settings.changed.v1``, and its own ``account.verified.v1``.
"""

from __future__ import annotations
