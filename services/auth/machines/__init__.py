"""Machines of the teams surface, linked to the account of the person who owns them."""

from __future__ import annotations
