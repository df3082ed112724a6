"""The people of an organization, as its admins manage them on the runs surface."""

from __future__ import annotations
