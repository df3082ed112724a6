"""The first platform administrator, made once on a fresh installation."""

from __future__ import annotations
