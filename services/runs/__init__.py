"""Runs: not built yet. It will own plans, suites, runs and the browser engine.

Owns: the tables of its outbox and inbox only.
Says: ``erasure.completed.v1``.
Hears: ``account.deleted.v1``.

Every path of its surface answers 503 with ``Retry-After``, in the surface's own shape.
"""

from __future__ import annotations
