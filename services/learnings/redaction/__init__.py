"""Taking out of texts what must not be kept: addresses, numbers, secrets, paths."""

from __future__ import annotations
