"""``make test-compose``: start docker-compose.yml for real, use it, break it, take it away.

Not a pytest module, because it needs a Docker engine and several minutes. It ends with status 0,
or with the first step that failed and the logs of the containers.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from tests.compose import images
from tests.compose.engine import StepFailed, engine, say, until
from tests.compose.system import ONE_SHOT, System
from tests.compose.walk import Person

RECEIVED: Final = "rabbitmq_global_messages_received_total"
UNSENT: Final = (
    "SELECT (SELECT count(*) FROM auth.outbox) + (SELECT count(*) FROM learnings.outbox)"
)
HEARD: Final = "SELECT count(*) FROM learnings.inbox"


def expect(truth: object, what: str) -> None:
    """Fail the step unless ``truth`` holds."""
    if not truth:
        raise StepFailed(f"does not hold: {what}")


def missing_secrets_are_named(system: System) -> None:
    """Without secrets, the word of refusal names a variable and the cure."""
    refusal = system.refusal_without_secrets()
    # Which one comes first is compose's choice.
    named = re.search(r"(\w+_(PASSWORD|KEYS?)) is missing a value: run guildhall secrets", refusal)
    expect(named, f"a missing secret is named: {refusal}")


def all_are_healthy(system: System) -> None:
    """Everything runs and is healthy; the migration has ended well."""
    containers = system.containers()
    migrated = containers.pop(ONE_SHOT)["State"]
    expect(migrated["Status"] == "exited" and migrated["ExitCode"] == 0, "migrate ended well")
    containers.pop("mailbox")
    for service in containers:
        expect(system.is_healthy(service), f"{service} is healthy")


def all_are_contained(system: System) -> None:
    """As the engine and the kernel see it: limits, no root, no capability, no writing."""
    for service, container in system.containers().items():
        if service == "mailbox":
            continue
        limits = container["HostConfig"]
        for limit in ("Memory", "PidsLimit", "NanoCpus"):
            expect(limits[limit] > 0, f"{service} has {limit}")
        expect(limits["ReadonlyRootfs"], f"{service} has a read-only root")
        expect(container["Config"]["User"] not in ("", "0", "root"), f"{service} is not root")
        if service == ONE_SHOT:
            continue
        status = dict(
            line.split(":\t", 1)
            for line in system.execute(service, "cat", "/proc/1/status").splitlines()
            if ":\t" in line
        )
        expect("0" not in status["Uid"].split(), f"{service} runs without root's id")
        expect(int(status["CapBnd"], 16) == 0, f"{service} has no capability to gain")
        expect(status["NoNewPrivs"] == "1", f"{service} gains no privileges")
        mounts = system.execute(service, "cat", "/proc/1/mounts")
        root = next(line.split() for line in mounts.splitlines() if line.split()[1] == "/")
        expect("ro" in root[3].split(","), f"{service} cannot write to its root")


def a_person_gets_through(system: System, person: Person) -> None:
    """Register, mail, verify, token, record, list; events travel through RabbitMQ and are heard."""
    received, heard = system.broker_counter(RECEIVED), system.count(HEARD)
    person.register()
    expect(person.is_refused_without_token(), "a stranger gets 401")
    person.log_in()
    number = person.record("Compose files deserve tests")
    expect(number in person.learnings(), "what was recorded is listed")
    until("RabbitMQ has the events", lambda: system.broker_counter(RECEIVED) > received)
    until("learnings hears of the new organization", lambda: system.count(HEARD) > heard)
    until("every outbox is empty", lambda: system.count(UNSENT) == 0)


def a_suite_runs(person: Person) -> None:
    """The worker's Chromium drives our own pages, confined as it is; serve shows the picture."""
    run = person.run_suite()
    expect(run["status"] == "passed", f"the suite passes: {run['report']}")
    expect(person.picture(run).startswith(b"\x89PNG"), "its picture is shown")


def the_broker_may_be_away(system: System, person: Person) -> None:
    """Without RabbitMQ people register and record; what was said is heard once it is back."""
    heard = system.count(HEARD)
    system.compose("stop", "rabbitmq")
    late = Person(system)
    try:
        late.register()
        late.log_in()
        expect(late.record("Brokers go away") in late.learnings(), "recorded without a broker")
    finally:
        late.close()
    expect(system.count(UNSENT) > 0, "events wait in the outbox")
    expect(system.count(HEARD) == heard, "nothing is heard meanwhile")
    system.compose("start", "rabbitmq")
    until("every outbox is empty", lambda: system.count(UNSENT) == 0, 120)
    until("learnings hears of the new organization", lambda: system.count(HEARD) > heard)
    for service in sorted(set(system.containers()) - {ONE_SHOT, "mailbox"}):
        until(f"{service} is healthy again", partial(system.is_healthy, service), 120)


def a_killed_process_comes_back(system: System, person: Person) -> None:
    """kill -9, of the service and of the gateway: the engine starts them again."""
    for service in ("learnings", "worker", "gateway"):
        before = system.kill(service)
        until(f"{service} runs anew", partial(system.runs_anew, service, before))
        until(f"{service} is healthy again", partial(system.is_healthy, service), 120)
    until("the list answers again", person.can_list)


def data_outlives_the_containers(system: System, person: Person) -> None:
    """Down and up again: accounts, tokens and learnings are still there."""
    before = person.learnings()
    system.down()
    system.up()
    expect(person.learnings() == before, "the same learnings as before")
    person.log_in()


def nothing_is_left(system: System) -> None:
    """``down --volumes`` leaves no container, network or volume."""
    system.down("--volumes")
    expect(not system.containers(), "no container is left")
    expect(not system.leftovers(), "no volume and no network is left")


def check(system: System) -> None:
    """Take the system through every step."""
    step("build the image and make the secrets", system.build)
    step("refuse to start without secrets", lambda: missing_secrets_are_named(system))
    step("start", system.up)
    person = Person(system)
    try:
        step("all healthy", lambda: all_are_healthy(system))
        step("all contained", lambda: all_are_contained(system))
        step("a person gets through", lambda: a_person_gets_through(system, person))
        step("a suite runs", lambda: a_suite_runs(person))
        step("the broker may be away", lambda: the_broker_may_be_away(system, person))
        step("a killed process comes back", lambda: a_killed_process_comes_back(system, person))
        step("data outlives the containers", lambda: data_outlives_the_containers(system, person))
        step("nothing is left", lambda: nothing_is_left(system))
    finally:
        person.close()


def step(title: str, action: Callable[[], None]) -> None:
    """Do one step, saying so before and after."""
    say(f"... {title}")
    action()
    say(f"ok  {title}")


def show(system: System) -> None:
    """Print what helps to understand a failure."""
    try:
        say(system.compose("ps", "--all"))
        for service, container in system.containers().items():
            probes = container["State"].get("Health", {}).get("Log") or []
            for probe in probes[-1:]:
                say(f"last probe of {service}: {probe['ExitCode']} {probe['Output'].strip()}")
        say(system.compose("logs", "--tail", "60")[-20000:])
    except StepFailed as silence:
        say(f"(no logs: {silence})")


def clean_up(system: System) -> None:
    """Whatever happened, leave nothing; a trouble here must not hide the first one."""
    try:
        system.down("--volumes", "--remove-orphans")
    except StepFailed as trouble:
        say(f"(cleaning up: {trouble})")
    system.remove_image()


def main() -> int:
    """Run every step and give the exit status."""
    try:
        with engine() as env, tempfile.TemporaryDirectory(prefix="guildhall-compose-") as folder:
            standins = images.prepare(env)
            if standins:
                say(f"note: {', '.join(standins)} are stand-ins, not the public images")
            system = System(Path(folder), env)
            try:
                check(system)
            except StepFailed:
                show(system)
                raise
            finally:
                clean_up(system)
    except StepFailed as trouble:
        say(f"FAILED: {trouble}")
        return 1
    say("docker-compose.yml stands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
