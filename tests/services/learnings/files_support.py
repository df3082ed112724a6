"""What the tests of files, releases, packages and backups share."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
from moto.server import ThreadedMotoServer

from shared.principal import Kind, Principal, Role
from tests.services.learnings.conftest import Tenant

PIECE: Final = 65_536


async def pieces_of(data: bytes, size: int = PIECE) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_base64(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def files_below(folder: Path) -> list[Path]:
    """Every object of a store that is a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def builder(client: httpx.AsyncClient) -> Tenant:
    """A key that a platform administrator gave the right to publish."""
    org = f"org_{uuid4().hex}"
    scopes = ("*", "releases:write")
    return Tenant(client, Principal(Kind.API_KEY, "key_b", org, Role.ADMIN, scopes, "key_b", "u"))


def platform_admin(client: httpx.AsyncClient) -> Tenant:
    org, scopes = f"org_{uuid4().hex}", ("*", "releases:write")
    who = Principal(Kind.USER, "usr_p", org, Role.PLATFORM_ADMIN, scopes, "ses_p", "usr_p")
    return Tenant(client, who)


def with_scopes(tenant: Tenant, *scopes: str) -> Tenant:
    """The same organization through a key that may do less."""
    who = Principal(Kind.API_KEY, "key_l", tenant.org, Role.MEMBER, scopes, "key_l", "usr_l")
    return Tenant(tenant.client, who)


def path_in(url: str) -> str:
    """What of an absolute address follows the host."""
    return httpx.URL(url).raw_path.decode()


@dataclass(frozen=True)
class S3:
    """An S3 of our own: the address of a bucket, and the variables by which a client finds it."""

    bucket: str
    variables: dict[str, str]

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/below"


@contextmanager
def s3() -> Iterator[S3]:
    """Start one with a bucket of its own; servers of one process share what they hold."""
    bucket = f"bucket-{uuid4().hex}"
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        endpoint = f"http://127.0.0.1:{port}"
        httpx.put(f"{endpoint}/{bucket}", timeout=20).raise_for_status()
        variables = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
        yield S3(bucket, variables)
    finally:
        server.stop()


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables of this process for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
