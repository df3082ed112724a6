"""Setting a new password: by a mailed token, or by knowing the old one."""

from __future__ import annotations
