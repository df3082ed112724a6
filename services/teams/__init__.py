"""Teams: not built yet. It will own teams, joined machines, knowledge and tasks.

Owns: the tables of its outbox and inbox only.
Says: ``erasure.completed.v1``.
Hears: ``account.deleted.v1``.

Every path of its surface answers 503 with ``Retry-After``, in the surface's own shape.
"""

from __future__ import annotations
