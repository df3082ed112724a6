"""Learnings: what teams have learned, shared within an organization.

Owns: ``learning``, ``organization`` (what it knows of auth's organizations, and the counters of
their learnings), ``landmark``.
Says: ``learning.recorded.v1``, ``learning.changed.v1``, ``erasure.completed.v1``.
Hears: ``organization.created.v1``, ``organization.deleted.v1``, ``account.deleted.v1``.

Surface: ``/v1`` (``learnings*``, ``health``).
"""

from __future__ import annotations
