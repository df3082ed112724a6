"""Learnings: what teams have learned, shared within an organization.

Owns: learnings and their counters (``learning``, ``organization``, ``landmark``), what keys may
(``key_policy``, ``key_usage``), company copies, scores and outcomes, installations, submissions,
telemetry by day and its figures, releases, packages and licenses, backups, the files of these,
webhooks and their deliveries, and vectors where a provider makes them.
Says: ``learning.recorded.v1``, ``learning.changed.v1``, ``learning.retired.v1``,
``installation.seen.v1``, ``release.published.v1``, ``erasure.completed.v1``.
Hears: ``organization.created.v1``, ``organization.deleted.v1``, ``account.deleted.v1``,
``issue.closed.v1``, and of its own ``learning.changed.v1`` and ``learning.retired.v1``.

Surface: ``/v1`` but for identity.
"""

from __future__ import annotations
