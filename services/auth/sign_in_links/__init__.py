"""Sign-in links: a letter with which a person signs in without a password."""

from __future__ import annotations
