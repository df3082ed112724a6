"""The auth service: who people are, what they belong to, and the credentials they act with.

Owns the accounts, organizations, memberships, sessions, API keys and signing keys of all four
surfaces. Says account.registered, account.verified, session.revoked, api_key.created,
api_key.revoked, organization.created and membership.changed. Hears nothing yet.
"""

from __future__ import annotations
