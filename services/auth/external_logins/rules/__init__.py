"""Pure decisions of external logins: addresses, ID tokens, and the steps of a sign-in."""

from __future__ import annotations
