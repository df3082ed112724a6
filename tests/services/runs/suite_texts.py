"""Texts of suites for tests, of the engine and of the service."""

from __future__ import annotations

SUITE = """\
suite: Sign-up
id: sign-up
base_url: http://127.0.0.1:8400
fixtures:
  email: {gen: unique_email}
  password: {gen: password}
cases:
  - id: sign-up
    title: A visitor signs up
    tags: [p0, smoke]
    steps:
      - do: Open the sign-up page
      - do: Enter ${email} and ${password}
        secret: true
      - do: Click "Create account"
    expect:
      - assert: '"Welcome" is shown'
        check: {kind: visible_text, contains: Welcome}
  - id: log-in
    title: They log in again
    tags: [smoke]
    depends_on: sign-up
    steps:
      - do: Open /login
    expect:
      - check: {kind: url, path_is: /login}
"""
"""A suite of two cases, of which the second depends on the first."""


def suite_text(suite_id: str, name: str = "", **replaced: str) -> str:
    """Give ``SUITE`` with an id of its own, and whatever else is to read differently."""
    text = SUITE.replace("id: sign-up\n", f"id: {suite_id}\n", 1)
    text = text.replace("suite: Sign-up\n", f"suite: {name or suite_id}\n", 1)
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text
