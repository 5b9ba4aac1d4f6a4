"""Events out: signed, once, again until they are taken, and nothing missing from the list."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack.conftest import Turn
from tests.stack.unattended.conftest import SIGNING, TYPED
from tests.support.client import Api, Vendors, new_phone, until
from tests.support.events import events_after
from tests.support.receiver import Receiver
from tests.support.stacks import ASKED, MAX_DELIVERIES

pytestmark = pytest.mark.short_windows

ALL = 10_000
CREATED, STARTED = "verification.created", "verification.started"
JOURNEYS = int(os.environ.get("CALLVERIFY_JOURNEYS", "60"))


def test_an_event_tells_of_a_transition_and_no_secret(api: Api, vendors: Vendors, receiver: Receiver) -> None:
    phone = new_phone()
    started = api.started(phone, provider=SIGNING, reference="order-1", metadata={"shop": "north"})
    vendors.dial(phone, started)
    event = receiver.wait_for(started.id, "verification.verified")
    assert event["mode"] == "live"
    assert event["data"] == api.read(started.id).body
    assert event["data"]["reference"] == "order-1"
    assert phone not in str(event)
    assert "client_token" not in event["data"]


def test_a_receiver_that_fails_three_times_gets_one_logical_event(api: Api, misbehaving: Receiver) -> None:
    misbehaving.misbehave(status=500, times=ALL)
    started = api.started(new_phone(), provider=ASKED)
    misbehaving.wait_for_deliveries(started.id, STARTED, 3)
    misbehaving.behave_well()
    event = misbehaving.wait_for(started.id, STARTED)
    deliveries = misbehaving.deliveries_of(started.id, STARTED)
    assert [each["answer"] for each in deliveries] == [500, 500, 500, 200]
    assert {each["event"]["id"] for each in deliveries} == {event["id"]}


def test_an_event_that_is_never_taken_waits_to_be_sent_again(
    stack: dict[str, str], api: Api, misbehaving: Receiver, turn: Turn
) -> None:
    misbehaving.misbehave(status=500, times=ALL)
    started = api.started(new_phone(), provider=TYPED)
    for kind in (CREATED, STARTED):
        misbehaving.wait_for_deliveries(started.id, kind, MAX_DELIVERIES)
    assert misbehaving.types(started.id) == []

    misbehaving.behave_well()
    turn.together()

    def sent_again() -> list[str]:
        redrive(stack)  # nothing, until the last delivery is hidden no longer and the event lies with the dead letters
        return misbehaving.types(started.id)

    types: list[str] = until(sent_again, lambda types: len(types) >= 2, seconds=120)
    assert sorted(types) == [CREATED, STARTED]


def redrive(stack: dict[str, str]) -> None:
    profile = {"CALLVERIFY_PROFILE": str(Path(stack["DEV_DIR"]) / "env")}
    command = [sys.executable, "-m", "cli", "redrive", "events"]
    subprocess.run(command, env=os.environ | profile, check=True, capture_output=True)


def test_the_list_equals_the_transitions_though_deliveries_fail(
    stack: dict[str, str], api: Api, misbehaving: Receiver
) -> None:
    test_key = stack["TEST_API_KEY"]
    cursor = events_after(api, test_key)[1]
    misbehaving.misbehave(status=500, times=JOURNEYS * 2, every=20)
    expected: list[tuple[str, str]] = []
    for _ in range(JOURNEYS):
        expected += journey(api, test_key)

    def listed() -> list[tuple[str, str]]:
        events = events_after(api, test_key, cursor)[0]
        return [(event["data"]["id"], event["type"].removeprefix("verification.")) for event in events]

    events = until(listed, lambda found: len(found) >= len(expected))
    assert sorted(events) == sorted(expected)
    # In one order: nothing starts before it was created, or ends before it started.
    for id_ in {id_ for id_, _ in expected}:
        mine = [kind for found, kind in events if found == id_]
        assert mine == [kind for found, kind in expected if found == id_]


def journey(api: Api, key: str) -> list[tuple[str, str]]:
    """One random way through a test verification, and the transitions that it makes."""
    number = random.choice(["101", "102", "104"])
    answer = api.start(f"+79000000{number}", key=key)
    if number == "104":
        id_ = answer.expect(422)["verification_id"]
        return [(id_, "created"), (id_, "failed")]
    answer.expect(201)
    if number == "102":
        return [(answer.id, "created"), (answer.id, "started"), (answer.id, "expired")]
    end = random.choice(["verified", "failed", "canceled"])
    if end == "verified":
        api.check(answer.id, "0000", key=key).expect(200)
    elif end == "failed":
        for _ in range(5):
            api.check(answer.id, "1111", key=key).expect(200)
    else:
        api.cancel(answer.id, key=key).expect(200)
    return [(answer.id, "created"), (answer.id, "started"), (answer.id, end)]
