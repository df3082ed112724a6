"""What a CI system says of the job that this is part of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CiJob:
    """A CI job.

    Attributes:
        is_ci: whether there is one.
        repo: ``owner/name`` on GitHub.
        git_sha: the commit that it is about.
        url: of its page.
    """

    is_ci: bool = False
    repo: str = ""
    git_sha: str = ""
    url: str = ""


def job_of(given: Mapping[str, str]) -> CiJob:
    """Read it: what the user set counts, then what GitHub and GitLab set."""
    repository = given.get("GITHUB_REPOSITORY", "")
    url = given.get("CI_JOB_URL", "")
    if repository and given.get("GITHUB_RUN_ID"):
        server = given.get("GITHUB_SERVER_URL") or "https://github.com"
        url = f"{server}/{repository}/actions/runs/{given['GITHUB_RUN_ID']}"
    sha = given.get("GITHUB_SHA") or given.get("CI_COMMIT_SHA") or ""
    return CiJob(
        is_ci=given.get("CI", "").lower() in ("1", "true"),
        repo=given.get("GITHUB_REPO") or repository,
        git_sha=(_set(given, "GIT_SHA") or sha)[:200],
        url=(_set(given, "CI_RUN_URL") or url)[:2000],
    )


def _set(given: Mapping[str, str], name: str) -> str:
    return given.get(name) or ""
