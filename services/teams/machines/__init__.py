"""Machines: the key pairs that call, as far as teams keeps something of them."""

from __future__ import annotations
