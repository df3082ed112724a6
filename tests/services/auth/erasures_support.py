"""People who go, and a look at what is left of them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.services.auth.conftest import PASSWORD, Auth, Person


async def delete_me(auth: Auth, person: Person, **body: Any) -> httpx.Response:
    """Delete an account as the learnings surface does."""
    fields = {"password": PASSWORD} | body
    return await auth.send("DELETE", "/v1/auth/me", person.principal, json=fields)


async def gone(auth: Auth, *people: Person) -> None:
    """Delete accounts, and see that it is done."""
    for person in people:
        answer = await delete_me(auth, person)
        assert (answer.status_code, answer.json()) == (200, {"status": "deleted"}), answer.text


async def join(auth: Auth, org_id: str, person: Person, role: str, *, days_ago: int = 0) -> None:
    """Make somebody a member since some days."""
    await auth.sql.execute(
        """
        INSERT INTO auth.membership (org_id, account_id, role, created_at)
        VALUES ($1, $2, $3, now() - make_interval(days => $4))
        """,
        org_id,
        person.claims.sub,
        role,
        days_ago,
    )


async def said(auth: Auth, kind: str, **fields: Any) -> list[dict[str, Any]]:
    """Give the events of a kind with these fields."""
    return [event for event in await auth.events(kind) if fields.items() <= event.items()]


async def tables_naming(auth: Auth, text: str) -> set[str]:
    """Name the tables of auth that hold a text anywhere."""
    names = await auth.sql.fetch(
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = 'auth' AND relkind = 'r'"
    )
    found = set()
    for row in names:
        query = f'SELECT true FROM auth."{row["relname"]}" t WHERE t::text ILIKE $1 LIMIT 1'  # noqa: S608 - names of tables
        if await auth.sql.fetchval(query, f"%{text}%"):
            found.add(row["relname"])
    return found
