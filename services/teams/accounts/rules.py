"""How participants and exported teams are shown (teams contract, section 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json, to_json

from services.teams.accounts.models import Place
from services.teams.teams.models import SHOWN, Team

ANONYMOUS: Final = "anonymous"


def shown_token(token: str) -> str:
    """Cut a token to what its owner may recognize it by, as auth does."""
    return f"{token[:SHOWN]}..."


def participants_of(places: Iterable[Place], digests: Mapping[str, str]) -> list[str]:
    """Name each person once, in the order in which their machines came."""
    return list(dict.fromkeys(digests.get(place.token, ANONYMOUS) for place in places))


def exported(
    team: Team, places: Sequence[Place], digests: Mapping[str, str], names: Mapping[str, str]
) -> bytes:
    """Write a team with all that it holds.

    Args:
        team: the row.
        places: its memberships.
        digests: of participants, by token.
        names: of the account's own machines, by token.
    """
    members = [
        {
            "name": member["name"],
            "role": member["role"],
            **({"description": member["description"]} if "description" in member else {}),
            "soul": member.get("soul"),
            "skills": member.get("skills", []),
        }
        for member in from_json(team.members)
    ]
    whole: dict[str, Any] = {
        "id": team.id,
        "name": team.name,
        "members": members,
        "skills": from_json(team.skills),
        "platforms": from_json(team.platforms),
        "knowledge": team.knowledge or None,
        "visibility": team.visibility,
        "participants": participants_of(places, digests),
        "your_machines": [
            {
                "token": shown_token(place.token),
                "machine_name": names[place.token],
                "scope": place.scope,
                "project_name": place.project_name,
            }
            for place in places
            if place.token in names
        ],
    }
    return to_json(whole)
