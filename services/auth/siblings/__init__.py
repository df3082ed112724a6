"""What auth asks of sibling services, where their answer decides a request at once."""

from __future__ import annotations
