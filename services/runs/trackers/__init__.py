"""Mirroring failures to GitHub, GitLab and Jira (runs contract, section 11)."""

from __future__ import annotations
