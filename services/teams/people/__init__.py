"""People: who stands behind machines and browsers, which the auth service knows."""

from __future__ import annotations
