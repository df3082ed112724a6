"""A tour of everything that auth does for people, with what it gave away on the way."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import httpx

from shared.principal import ANONYMOUS, CLIENT_HEADER, Principal
from tests.services.auth.conftest import (
    PASSWORD,
    PUBLIC_URL,
    Auth,
    Person,
    new_address,
    text_of,
)
from tests.services.auth.device_support import (
    approve,
    begin,
    begin_machine,
    new_client,
    new_machine,
    poll,
)
from tests.services.auth.two_factor_support import Device, enrol, let_steps_pass

NEW = "a wholly different sentence"
NEWER = "one more sentence, quite unlike"
GUESS = "a guess of somebody else"

TOKENS = {
    "verification": re.compile(r"\bverify_[\w-]{43}"),
    "reset": re.compile(r"/users/reset-password/([\w-]+)"),
    "email": re.compile(r"\bemail_[\w-]{43}"),
    "invitation": re.compile(r"\binvite_[\w-]{43}"),
    "link": re.compile(r"/users/log-in/([\w-]{43})"),
}


class Tourist(Auth):
    """Sends every request in one's own way, and keeps what came back."""

    def __init__(self, auth: Auth, headers: dict[str, str] | None = None, base: str = "") -> None:
        super().__init__(auth.client, auth.sql, auth._mail, auth.teams)
        self._headers = {CLIENT_HEADER: new_client()} | (headers or {})
        self._base = base
        self.answers: list[tuple[str, httpx.Response]] = []
        self.secrets: dict[str, set[str]] = {}

    async def send(
        self, method: str, path: str, principal: Principal = ANONYMOUS, **options: Any
    ) -> httpx.Response:
        headers = self._headers | options.pop("headers", {})
        answer = await super().send(
            method, self._base + path, principal, headers=headers, **options
        )
        self.answers.append((f"{method} {path}", answer))
        return answer

    def keep(self, kind: str, *secrets: str) -> None:
        """Note what nobody else may learn."""
        assert all(len(secret) >= 6 for secret in secrets), kind
        self.secrets.setdefault(kind, set()).update(secrets)

    async def mailed(self, kind: str, address: str, count: int = 1) -> str:
        """Wait for so many letters with a token of this kind; give the newest token."""
        letters = count
        while True:
            texts = [text_of(letter) for letter in await self.letters(address, letters)]
            found = [match for text in texts if (match := TOKENS[kind].search(text))]
            if len(found) >= count:
                tokens = [match[match.re.groups] for match in found]
                self.keep(kind, *tokens)
                return tokens[-1]
            letters = len(texts) + 1

    async def form(self, path: str, cookie: str = "", **fields: str) -> httpx.Response:
        """Send a form of a page."""
        headers = {"content-type": "application/x-www-form-urlencoded", "origin": PUBLIC_URL}
        if cookie:
            headers["cookie"] = cookie
        answer = await self.send("POST", path, content=urlencode(fields), headers=headers)
        for line in answer.headers.get_list("set-cookie"):
            value = line.partition(";")[0].partition("=")[2]
            if value:
                self.keep("cookie", value)
        return answer


def cookie_of(answer: httpx.Response) -> str:
    """Give the cookie that an answer sets, as a browser sends it."""
    assert answer.status_code == 303, answer.text
    return str(answer.headers["set-cookie"].partition(";")[0])


async def register(tourist: Tourist) -> Person:
    """Register twice, ask for the letter again, verify, register once more."""
    tourist.keep("password", PASSWORD, NEW, NEWER, GUESS)
    address = new_address()
    await tourist.register(address)
    await tourist.mailed("verification", address)
    await tourist.post("/v1/auth/resend-verification", email=address)
    token = await tourist.mailed("verification", address, 2)
    assert (await tourist.post("/v1/auth/verify-email", token=token)).status_code == 200
    await tourist.register(address)
    await tourist.form("/users/register", email=address, password=PASSWORD, name="Ada")
    await tourist.letters(address, 4)
    return await signed_in(tourist, address)


async def signed_in(tourist: Tourist, address: str, password: str = PASSWORD) -> Person:
    """Sign in over the API, and renew the session."""
    answer = await tourist.post("/v1/auth/token", email=address, password=password)
    assert answer.status_code == 200, answer.text
    first = answer.json()
    renewed = await tourist.post("/v1/auth/refresh", refresh_token=first["refresh_token"])
    assert renewed.status_code == 200, renewed.text
    for pair in (first, renewed.json()):
        tourist.keep("session", pair["access_token"], pair["refresh_token"])
    token = renewed.json()["access_token"]
    return Person(address, token, await tourist.claims_of(token))


async def use_second_factor(tourist: Tourist, person: Person) -> None:
    """Switch it on, sign in by it in every way, switch it off."""
    device: Device = await enrol(tourist, person)
    tourist.keep("recovery code", *device.recovery_codes)
    answer = await tourist.post("/v1/auth/token", email=person.email, password=PASSWORD)
    challenge = answer.json()["challenge_token"]
    tourist.keep("challenge", challenge)
    # Six digits are too few to be told from a part of a time: only what came in words is sought.
    wrong = {"challenge_token": challenge, "code": device.wrong_code()}
    assert (await tourist.post("/v1/auth/2fa/verify", **wrong)).status_code == 401
    used = device.recovery_codes[0]
    right = await tourist.post("/v1/auth/2fa/verify", challenge_token=challenge, code=used)
    assert right.status_code == 200, right.text
    await let_steps_pass(tourist, device)
    cookie = cookie_of(await tourist.form("/users/log-in", email=person.email, password=PASSWORD))
    done = await tourist.form("/users/complete-login", cookie, totp=device.code())
    assert done.status_code == 303
    made = await tourist.post("/v1/auth/2fa/recovery-codes", person.principal, password=PASSWORD)
    tourist.keep("recovery code", *made.json()["recovery_codes"])
    body = {"password": PASSWORD}
    assert (await tourist.post("/v1/auth/2fa/disable", person.principal, **body)).status_code == 200


async def use_pages(tourist: Tourist, person: Person) -> None:
    """Sign in by a letter, and guess wrong."""
    await tourist.form("/users/log-in", email=person.email, by="link")
    token = await tourist.mailed("link", person.email)
    for page in (f"/users/log-in/{token}", f"/users/log-in/{token}"):
        assert (await tourist.send("GET", page)).status_code == 200
    cookie = cookie_of(await tourist.form(f"/users/log-in/{token}"))
    assert (await tourist.send("GET", "/dashboard", headers={"cookie": cookie})).is_success
    refused = await tourist.form("/users/log-in", email=person.email, password=GUESS)
    assert refused.status_code == 401
    assert (await tourist.form(f"/users/log-in/{token}")).status_code == 400


async def use_keys(tourist: Tourist, person: Person) -> None:
    """Make keys of every kind, and buy a token with each."""
    caller, org = person.principal, person.claims.org
    made = await tourist.post("/api/v1/auth/tokens", caller, name="mine")
    keys = [made.json()["token"]]
    path = f"/v1/admin/organizations/{org}/api-keys"
    made = (await tourist.post(path, caller, name="ours")).json()
    rotated = (await tourist.post(f"{path}/{made['id']}/rotate", caller)).json()
    keys += [made["key"], rotated["key"]]
    code = await begin(tourist)
    tourist.keep("device code", code["device_code"])
    await approve(tourist, caller, code["user_code"])
    keys.append((await poll(tourist, code)).json()["api_key"])
    machine = new_machine()
    asked = await begin_machine(tourist, machine)
    tourist.keep("device code", asked["device_code"])
    await approve(tourist, caller, asked["user_code"])
    await tourist.send("GET", f"/api/auth/device/{asked['device_code']}", machine)
    tourist.keep("key", *keys)
    for key in keys:
        bought = await tourist.post("/v1/auth/token", api_key=key)
        assert bought.status_code == 200, bought.text
        tourist.keep("session", bought.json()["access_token"])


async def use_passwords(tourist: Tourist, person: Person) -> Person:
    """Lose a password, and change it on every surface."""
    await tourist.post("/v1/auth/forgot-password", email=person.email)
    await tourist.mailed("reset", person.email)
    await tourist.post("/v1/auth/request-password-reset", email=person.email)
    await tourist.mailed("reset", person.email, 2)
    await tourist.form("/users/forgot-password", email=person.email)
    token = await tourist.mailed("reset", person.email, 3)
    await tourist.send("GET", f"/users/reset-password/{token}")
    short = await tourist.post("/v1/auth/reset-password", token=token, new_password="s3cret?!")
    assert short.status_code == 422
    tourist.keep("password", "s3cret?!")
    body: dict[str, Any] = {"token": token, "new_password": NEW}
    assert (await tourist.post("/v1/auth/reset-password", **body)).status_code == 200
    person = await signed_in(tourist, person.email, NEW)
    change = {"current_password": NEW, "new_password": NEWER}
    done = await tourist.post("/v1/auth/password", person.principal, **change)
    assert done.status_code == 200, done.text
    back = {"current": NEWER, "new": PASSWORD}
    done = await tourist.post("/api/v1/auth/password", person.principal, **back)
    assert done.status_code == 200, done.text
    return await signed_in(tourist, person.email)


async def move(tourist: Tourist, person: Person, other: Person) -> Person:
    """Wish for an address that is somebody's, then move to a free one."""
    to = new_address()
    for address in (other.email, to):
        wish = {"new_email": address, "password": PASSWORD}
        answer = await tourist.post("/v1/auth/email", person.principal, **wish)
        assert answer.status_code == 200, answer.text
    token = await tourist.mailed("email", to)
    done = await tourist.post("/v1/auth/email/confirm", person.principal, token=token)
    assert done.json() == {"confirmed": True}, done.text
    return await signed_in(tourist, to)


async def meet_others(tourist: Tourist, person: Person, root: Person) -> None:
    """Invite, accept, add, let in from the waitlist."""
    guest, waiting = new_address(), new_address()
    sent = await tourist.post("/api/v1/auth/invites", person.principal, email=guest)
    assert sent.status_code == 200, sent.text
    token = await tourist.mailed("invitation", guest)
    await tourist.send("GET", "/accept-invite", params={"token": token})
    joined = await tourist.post("/api/v1/auth/accept-invite", token=token, password=NEW)
    assert joined.status_code == 200, joined.text
    tourist.keep("session", joined.json()["token"])
    body = {"email": new_address(), "password": NEWER, "role": "member"}
    assert (await tourist.post("/api/v1/auth/users", person.principal, **body)).status_code == 200
    login = await tourist.post("/api/v1/auth/login", email=body["email"], password=NEWER)
    tourist.keep("session", login.json()["token"])
    await tourist.post("/v1/waitlist", email=waiting)
    row = await tourist.sql.fetchval("SELECT id FROM auth.waiting_person WHERE email = $1", waiting)
    made = await tourist.post(f"/v1/admin/waitlist/{row}/convert", root.principal)
    tourist.keep("key", made.json()["key"])
    await tourist.mailed("reset", waiting)


async def fail_at_everything(tourist: Tourist, person: Person) -> None:
    """Send secrets where they are refused."""
    for body in (
        {"email": person.email, "password": GUESS},
        {"email": person.email, "password": [GUESS]},
        {"api_key": "trw_live_" + "k" * 43},
        {"refresh_token": "refresh_" + "r" * 43},
    ):
        for path in ("/v1/auth/token", "/api/v1/auth/login", "/v1/auth/refresh"):
            answer = await tourist.send("POST", path, json=body)
            assert answer.status_code in (400, 401, 422), answer.text
            assert GUESS not in answer.text
    tourist.keep("key", "trw_live_" + "k" * 43)
    tourist.keep("session", "refresh_" + "r" * 43)
    broken = await tourist.send(
        "POST",
        "/v1/auth/token",
        content=f'{{"password": "{GUESS}", ',
        headers={"content-type": "application/json"},
    )
    assert broken.status_code == 400
    assert GUESS not in broken.text


async def leave(tourist: Tourist, person: Person) -> None:
    """Erase the account."""
    body = {"password": PASSWORD}
    gone = await tourist.send("DELETE", "/v1/auth/me", person.principal, json=body)
    assert gone.status_code == 200, gone.text
    count = 1
    while (await tourist.letters(person.email, count))[-1]["Subject"] != "Your account was deleted":
        count += 1


async def tour(tourist: Tourist, root: Person) -> None:
    """Do everything once that gives a secret away or writes a letter."""
    ada, grace = await register(tourist), await register(tourist)
    await use_pages(tourist, ada)
    await use_keys(tourist, ada)
    await use_second_factor(tourist, ada)
    ada = await use_passwords(tourist, ada)
    ada = await move(tourist, ada, grace)
    await meet_others(tourist, ada, root)
    await fail_at_everything(tourist, grace)
    await leave(tourist, ada)
