"""Jira Cloud's REST API, version 3, whose texts are documents."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from services.runs.trackers import rules
from services.runs.trackers.models import Account, Kind, Message, Ticket, TrackerFailed
from services.runs.trackers.operations.asking import GONE, Api, listed
from shared.fetch import Fetcher

API: Final = "/rest/api/3"
FIELDS: Final = ("status", "description", "labels")
MOST: Final = 50
"""Issues or comments of one page."""

NOT_LET: Final = (400, 403, 404, 409, 410, 422)
"""Answers by which a workflow, or who may use it, keeps an issue where it is."""


class Jira:
    """One project; see ``Tracker``.

    A failure has a label of its own, because labels are found exactly; the fingerprint stands in
    the description, too, where issues are found that others labelled anew. A closed issue is
    opened again where the project's workflow has a plain way; where it has none, it is commented.
    """

    def __init__(self, fetcher: Fetcher, account: Account) -> None:
        pair = base64.b64encode(f"{account.user}:{account.secret}".encode()).decode()
        headers = {"authorization": f"Basic {pair}", "x-atlassian-token": "no-check"}
        self._api = Api(fetcher, "jira", account.base, headers)
        self._base = account.base
        self._project = account.project

    async def read(self, key: str) -> Ticket | None:
        """See ``Tracker``."""
        query = urlencode({"fields": ",".join(FIELDS)})
        answer = await self._api.get(f"{API}/issue/{quote(key)}?{query}", *GONE)
        return None if answer is None else self._ticket(answer)

    async def find(self, message: Message) -> Ticket | None:
        """See ``Tracker``."""
        label, words = rules.label_of(message.fingerprint), rules.signature_of(message.fingerprint)
        project = self._project.replace("\\", "").replace('"', "")
        jql = (
            f'project = "{project}" AND (labels = "{label}" OR description ~ "{_word(words)}") '
            "ORDER BY created ASC"
        )
        wanted = {"jql": jql, "fields": FIELDS, "maxResults": MOST}
        answer = await self._api.look(f"{API}/search/jql", wanted)
        issues = answer.get("issues") if isinstance(answer, Mapping) else None
        found = [self._ticket(one) for one in listed(issues) if self._is_of(one, label, message)]
        return min(found, key=lambda one: one.is_closed, default=None)

    def _is_of(self, issue: Mapping[str, Any], label: str, message: Message) -> bool:
        fields = issue.get("fields")
        labels = fields.get("labels") if isinstance(fields, Mapping) else None
        if isinstance(labels, list) and label in labels:
            return True
        return rules.fingerprint_in(self._ticket(issue).text, message.fingerprint)

    async def create(self, message: Message) -> Ticket:
        """See ``Tracker``."""
        document = rules.document_of(message.body)
        marker = {"type": "text", "text": rules.marker_of(message.fingerprint)}
        document["content"].append({"type": "paragraph", "content": [marker]})
        fields = {
            "project": {"key": self._project},
            "issuetype": {"name": "Bug"},
            "summary": message.title,
            "description": document,
        }
        labels = [*message.labels, rules.label_of(message.fingerprint)]
        path = f"{API}/issue"
        answer = await self._api.change("POST", path, {"fields": {**fields, "labels": labels}}, 400)
        if answer is None:  # a project may have no labels on its form for new issues
            answer = await self._api.change("POST", path, {"fields": fields})
        return self._ticket(answer)

    async def comment(self, key: str, text: str) -> None:
        """See ``Tracker``."""
        body = {"body": rules.document_of(text)}
        await self._api.change("POST", f"{API}/issue/{quote(key)}/comment", body)

    async def has_comment(self, key: str, run_id: str) -> bool:
        """See ``Tracker``."""
        query = urlencode({"orderBy": "-created", "maxResults": MOST})
        answer = await self._api.get(f"{API}/issue/{quote(key)}/comment?{query}")
        comments = answer.get("comments") if isinstance(answer, Mapping) else None
        return any(run_id in rules.text_of(one.get("body")) for one in listed(comments))

    async def reopen(self, key: str) -> None:
        """See ``Tracker``; a workflow that does not let us is the project's own matter."""
        path = f"{API}/issue/{quote(key)}/transitions"
        offered = await self._api.get(f"{path}?expand=transitions.fields", *NOT_LET)
        chosen = rules.reopening(offered)
        if chosen is not None:
            await self._api.change("POST", path, {"transition": {"id": chosen}}, *NOT_LET)

    def _ticket(self, answer: Any) -> Ticket:
        key = self._api.word(answer, "key")
        fields = answer.get("fields")
        held = fields if isinstance(fields, Mapping) else {}
        status = held.get("status")
        category = status.get("statusCategory") if isinstance(status, Mapping) else None
        is_done = isinstance(category, Mapping) and category.get("key") == "done"
        text = rules.text_of(held.get("description"))
        return Ticket(key, key, f"{self._base}/browse/{quote(key)}", is_done, text)


def _word(text: str) -> str:
    """Give a text of which only letters and digits can reach a query."""
    kept = "".join(each for each in text if each.isascii() and each.isalnum())
    if not kept:
        raise TrackerFailed("the failure has no fingerprint", Kind.FINAL)
    return kept
