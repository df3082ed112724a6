"""Settings of organizations: shown masked, written by administrators, sealed at rest."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any, Final

import pytest
from pydantic import SecretStr

from services.runs.engine.model import ModelFailed
from services.runs.integrations import operations, rules
from services.runs.integrations.models import KEYS, SECRETS, URLS, SettingsChange
from services.runs.settings import RunsSettings
from services.runs.workers.operations.asking import Models
from services.runs.workers.operations.jobs import Jobs
from shared.contracts.auth import OrganizationDeleted
from shared.principal import Principal, Role
from shared.vault import Vault
from tests.gateway.fake_service import FakeService, answering, plain
from tests.gateway.fake_service import running as faking
from tests.services.runs.channels_support import (
    SLACK_PATH,
    STRANGERS_WORDS,
    TEAMS_PATH,
    Channels,
    channels_open,
)
from tests.services.runs.conftest import Runs, running
from tests.services.runs.engine.model_support import CLAIM
from tests.support.postgres import DatabaseUrls

TOKEN: Final = "glpat-0123456789abcdef"
CLOSED: Final = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://10.0.0.1:9200/",
    "http://[::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::7f00:1]/",
    "http://somebody:hunter2@example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "not an address",
)


@pytest.fixture
def admin(runs: Runs) -> Principal:
    return runs.member(role=Role.ADMIN)


@pytest.fixture
async def channels() -> AsyncIterator[Channels]:
    async with channels_open() as channels:
        yield channels


async def shown(runs: Runs, who: Principal) -> dict[str, str]:
    answer = await runs.get("settings", who)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {key.name for key in KEYS}
    return {name: value for name, value in answer.json().items() if value is not None}


async def put(runs: Runs, who: Principal, **values: Any) -> dict[str, Any]:
    answer = await runs.put("settings", who, values)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def values_of(runs: Runs, org: str, **environment: Any) -> dict[str, str]:
    """Give what holds for an organization where the environment says that."""
    settings: RunsSettings = runs.resources[RunsSettings].model_copy(update=environment)
    async with runs.database.connection() as connection:
        held = await operations.values(connection, runs.resources[Vault], settings, org)
    return dict(held)


async def test_settings_are_written_by_administrators_and_shown_masked_to_all(
    runs: Runs, admin: Principal
) -> None:
    member = runs.member(admin.org)
    assert await shown(runs, member) == {}
    written = {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPO": "shop/web",
        "WEBHOOK_SECRET": "short",
        "LOG_BACKEND": "Loki",
        "NOTIFY_ON": "always",
        "FILE_ISSUES": "github, JIRA",
    }
    answer = await put(runs, admin, **written)
    seen = {
        "GITHUB_TOKEN": "••••cdef",
        "GITHUB_REPO": "shop/web",
        "WEBHOOK_SECRET": "••••",
        "LOG_BACKEND": "loki",
        "NOTIFY_ON": "always",
        "FILE_ISSUES": "github,jira",
    }
    assert await shown(runs, member) == seen
    assert {name: value for name, value in answer.items() if value} == seen
    assert (await runs.put("settings", member, written)).status_code == 403
    # What a dashboard sends back: the masked form, and null where nothing was changed.
    await put(runs, admin, **{**answer, "GITHUB_REPO": None, "NOTIFY_ON": ""})
    assert await values_of(runs, admin.org) == {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPO": "shop/web",
        "WEBHOOK_SECRET": "short",
        "LOG_BACKEND": "loki",
        "FILE_ISSUES": "github,jira",
    }
    assert await shown(runs, runs.member()) == {}, "another organization's"
    await runs.tell(OrganizationDeleted(org_id=admin.org))
    assert await shown(runs, admin) == {}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"GITHUB_REPO": "shop/web", "GITHUB_TOKENS": "x"}, "GITHUB_TOKENS"),
        ({"GITHUB_REPO": "shop/web", "LOG_FILE": "/etc/passwd"}, "LOG_FILE"),
        ({"GITHUB_REPO": "shop/web", "LOG_BACKEND": "splunk"}, "LOG_BACKEND"),
        ({"GITHUB_REPO": "shop/web", "NOTIFY_ON": "never"}, "NOTIFY_ON"),
        ({"GITHUB_REPO": "shop/web", "FILE_ISSUES": "github,none"}, "FILE_ISSUES"),
        ({"GITHUB_REPO": "shop/web", "FILE_ISSUES": "trello"}, "FILE_ISSUES"),
        ({"GITHUB_REPO": "shop/web", "DD_SITE": "evil.test/x?"}, "DD_SITE"),
        ({"GITHUB_REPO": "shop"}, "GITHUB_REPO"),
        ({"GITHUB_TOKEN": "two\nlines"}, "GITHUB_TOKEN"),
        ({"GITHUB_TOKEN": "x" * 5000}, "GITHUB_TOKEN"),
        ({"GITHUB_TOKEN": 7}, "GITHUB_TOKEN"),
        ({"JIRA_TOKEN": "schlüssel"}, "JIRA_TOKEN"),
    ],
)
async def test_what_makes_no_sense_is_named_and_nothing_is_stored(
    runs: Runs, admin: Principal, body: dict[str, Any], named: str
) -> None:
    answer = await runs.put("settings", admin, body)
    assert answer.status_code == 422, answer.text
    assert named in json.dumps(answer.json()["error"]["details"])
    assert "two" not in answer.text
    assert await shown(runs, admin) == {}


async def test_the_environment_holds_where_nothing_is_stored(runs: Runs, admin: Principal) -> None:
    told = {"gitlab_token": SecretStr(TOKEN), "gitlab_project": "7", "log_file": "/var/log/app"}
    named = {"GITLAB_TOKEN": TOKEN, "GITLAB_PROJECT": "7", "LOG_FILE": "/var/log/app"}
    assert await values_of(runs, admin.org, **told) == named
    # Nobody has the installation's token sent to a server of theirs, or used in other projects.
    await put(runs, admin, GITLAB_PROJECT="8")
    held = await values_of(runs, admin.org, **told)
    assert held == {"GITLAB_PROJECT": "8", "LOG_FILE": "/var/log/app"}
    await put(runs, admin, GITLAB_PROJECT="")
    assert await values_of(runs, admin.org, **told) == named
    await put(runs, admin, GITLAB_URL="http://127.0.0.1:8929")
    held = await values_of(runs, admin.org, **told)
    assert "GITLAB_TOKEN" not in held
    assert await values_of(runs, admin.org, **told, gitlab_url="http://127.0.0.1:8929") == {
        **named,
        "GITLAB_URL": "http://127.0.0.1:8929",
    }


def test_every_secret_that_goes_to_a_chosen_address_is_bound_to_it() -> None:
    for key in KEYS:
        for place in key.goes_to:
            environment = {key.name: "secret", place: "https://ours.test"}
            assert rules.holding({}, environment) == environment
            held = rules.holding({place: "https://theirs.test"}, environment)
            assert held == {place: "https://theirs.test"}
            own = {place: "https://theirs.test", key.name: "theirs"}
            assert rules.holding(own, environment) == own
    bound = {key.name for key in KEYS if key.goes_to}
    fixed = {"ANTHROPIC_API_KEY"}
    assert bound | fixed | {"SLACK_WEBHOOK_URL", "TEAMS_WEBHOOK_URL"} == SECRETS


async def test_trackers_are_there_when_their_credentials_are_complete(
    runs: Runs, admin: Principal
) -> None:
    async def there() -> dict[str, bool]:
        found: dict[str, bool] = (await runs.get("integrations/trackers", admin)).json()
        return found

    none = {"github": False, "gitlab": False, "jira": False}
    assert await there() == none
    await put(runs, admin, GITHUB_TOKEN=TOKEN, GITLAB_PROJECT="a%2Fb", JIRA_TOKEN=TOKEN)
    assert await there() == none
    await put(runs, admin, GITHUB_REPO="shop/web")
    assert await there() == {**none, "github": True}
    jira = {"JIRA_BASE": "http://127.0.0.1:9", "JIRA_EMAIL": "a@b.test", "JIRA_PROJECT": "WEB"}
    await put(runs, admin, GITLAB_TOKEN=TOKEN, **jira)
    assert await there() == dict.fromkeys(none, True)
    await put(runs, admin, GITHUB_TOKEN="")
    assert await there() == {**none, "gitlab": True, "jira": True}


async def test_two_administrators_at_once_lose_nothing(runs: Runs, admin: Principal) -> None:
    other = runs.member(admin.org, role=Role.ADMIN)
    for turn in range(5):
        await asyncio.gather(
            put(runs, admin, JIRA_PROJECT=f"P{turn}", ES_INDEX=f"i{turn}", NOTIFY_ON=""),
            put(runs, other, NOTIFY_ON="", GITHUB_REPO=f"a/{turn}", DD_SITE=f"s{turn}.test"),
        )
        assert await values_of(runs, admin.org) == {
            "JIRA_PROJECT": f"P{turn}",
            "ES_INDEX": f"i{turn}",
            "GITHUB_REPO": f"a/{turn}",
            "DD_SITE": f"s{turn}.test",
        }


async def test_secrets_are_nowhere(
    runs: Runs, admin: Principal, channels: Channels, capfd: pytest.CaptureFixture[str]
) -> None:
    await put(runs, admin, **channels.settings, GITHUB_TOKEN=TOKEN)
    channels.fail("slack", 500)
    answer = await runs.post("settings/test-notification", admin)
    assert not answer.json()["ok"]
    rows = await runs.sql.fetch("SELECT * FROM runs.setting WHERE org_id = $1", admin.org)
    change = SettingsChange(GITHUB_TOKEN=TOKEN)
    [told] = await runs.sql.fetch(
        "SELECT payload FROM runs.outbox WHERE kind = 'settings.changed.v1' "
        "AND payload::text LIKE '%' || $1 || '%'",
        admin.org,
    )
    assert json.loads(told["payload"])["account_id"] == admin.account
    settings = runs.resources[RunsSettings].model_copy(update={"jira_token": SecretStr(TOKEN)})
    said = capfd.readouterr()
    everything = "".join(
        (
            str([dict(row) for row in rows]),
            "".join(row["value"].decode("latin-1") for row in rows),
            told["payload"],
            answer.text,
            (await runs.get("settings", admin)).text,
            repr(change),
            str(change),
            repr(settings),
            said.out,
            said.err,
        )
    )
    assert "GITHUB_TOKEN" in said.out + said.err, "the change is in the log"
    for secret in (TOKEN, SLACK_PATH, TEAMS_PATH, "signing secret", STRANGERS_WORDS):
        assert secret not in everything


async def test_a_test_notification_is_taken_by_each_channel(
    runs: Runs, admin: Principal, channels: Channels
) -> None:
    answer = await runs.post("settings/test-notification", admin)
    assert (answer.status_code, answer.json()["type"]) == (400, "bad_request")
    assert "SLACK_WEBHOOK_URL" in answer.json()["detail"]
    await put(runs, admin, **channels.settings)
    answer = await runs.post("settings/test-notification", admin)
    names = ("slack", "teams", "webhook")
    assert answer.json() == {
        "ok": True,
        "results": [{"channel": name, "ok": True, "error": None} for name in names],
    }
    assert all(len(channels.of(name)) == 1 for name in names)
    # What goes wrong is told in our own words.
    channels.fail("slack", 404)
    channels.fail("teams", 200, words="Webhook message delivery failed with error: HTTP 429")
    await put(runs, admin, WEBHOOK_URL=f"{channels.url}/elsewhere")
    answer = await runs.post("settings/test-notification", admin)
    errors = {each["channel"]: each["error"] for each in answer.json()["results"]}
    assert not answer.json()["ok"]
    assert errors["slack"] == "It answered 404."
    assert errors["teams"] == "It answered, and did not take the message."
    assert errors["webhook"] == "It answered 307: redirects are not followed."
    assert (
        await runs.post("settings/test-notification", runs.member(admin.org))
    ).status_code == 403


async def test_no_address_that_is_closed_is_taken_or_asked(
    urls: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
    channels: Channels,
) -> None:
    async with running(urls, GUILDHALL_ALLOW_PRIVATE_TARGETS=False) as strict:
        admin = strict.member(role=Role.ADMIN)
        for name in URLS:
            for address in CLOSED:
                answer = await strict.put("settings", admin, {name: address, "NOTIFY_ON": "always"})
                assert answer.status_code == 400, (name, address, answer.text)
                assert answer.json()["type"] == "url_not_allowed"
                assert answer.json()["detail"].startswith(f"{name}: ")
                assert "GUILDHALL_URL_ALLOW" in answer.json()["detail"]
                assert "hunter2" not in answer.text
        assert await shown(strict, admin) == {}
        # A name that was public when it was stored, and is not any more.
        ours, look_up = "93.184.216.34", socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *more: Any, **options: Any) -> list[Any]:
            if host in ("rebinding.test", b"rebinding.test"):
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ours, port))]
            return look_up(host, port, *more, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        port = channels.url.rpartition(":")[2]
        await put(strict, admin, WEBHOOK_URL=f"http://rebinding.test:{port}/hook")
        ours = "127.0.0.1"
        answer = await strict.post("settings/test-notification", admin)
        assert answer.json()["results"][0]["error"].startswith("Its address may not be reached")
        assert channels.requests == []


async def test_runs_ask_the_model_under_their_organizations_own_key(
    runs: Runs, admin: Principal
) -> None:
    async with faking(FakeService()) as service:
        service.behave = answering(plain(401, b"{}", "content-type: application/json"))
        settings: RunsSettings = runs.resources[RunsSettings].model_copy(
            update={"anthropic_url": service.url, "anthropic_token": SecretStr("everybody's")}
        )
        vault = runs.resources[Vault]
        await put(runs, admin, ANTHROPIC_API_KEY="sk-ant-of-this-organization", FILE_ISSUES="jira")
        async with Models.opened(runs.database, settings, vault) as models:
            for org in (admin.org, runs.member().org):
                async with models.of(org) as ask:
                    assert ask is not None
                    with pytest.raises(ModelFailed):
                        await ask("judge", asdict(CLAIM))
        keys = [
            (asked.header("x-api-key"), asked.header("authorization")) for asked in service.asked
        ]
        assert set(keys) == {("sk-ant-of-this-organization", ""), ("", "Bearer everybody's")}
        jobs = Jobs(runs.database, settings.model_copy(update={"file_issues": "github"}), vault)
        assert await jobs.installed(admin.org) == "jira"
        assert await jobs.installed(runs.member().org) == "github"
        async with Models.opened(runs.database, runs.resources[RunsSettings], vault) as models:
            async with models.of(admin.org) as ask:
                assert ask is not None, "a key is enough"
            async with models.of(runs.member().org) as ask:
                assert ask is None
