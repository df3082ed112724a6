"""Teams: configurations of agents that machines share, and what they learn together, live.

Owns: teams with their members, skills and knowledge, versions of them, memberships of machines,
invitations, tasks, claim secrets, and what sockets are told.
Says: ``team.created/changed/deleted.v1``, ``team.joined/left.v1``, ``knowledge.changed.v1``,
``task.created/changed.v1``, ``machine.seen.v1``, ``erasure.completed.v1``.
Hears: ``machine.linked/revoked.v1``, ``account.deleted.v1``, ``organization.deleted.v1``; its own
news by broadcast, to wake the sockets of each process.
"""

from __future__ import annotations
