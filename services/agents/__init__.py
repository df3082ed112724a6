"""Agents: agents, the sessions in which they are spoken to, and the worker that answers.

Owns: agents, sessions with their messages and state changes, the work that is to be done for them,
named namespaces, its audit log, and its copy of roles, bindings, service accounts and
organizations.
Says: ``agent.changed.v1``, ``session.created/changed.v1``, ``message.posted.v1``,
``erasure.completed.v1``.
Hears: ``role.changed.v1``, ``role_binding.changed.v1``, ``service_account.changed.v1``,
``organization.created/deleted.v1``, ``account.deleted.v1``; its own news by broadcast, to wake
streams and workers of each process.
"""

from __future__ import annotations
