"""Signing in with an account of another issuer (OpenID Connect)."""

from __future__ import annotations
