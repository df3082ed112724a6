"""Mail: letters written in a transaction and sent afterwards."""

from __future__ import annotations
