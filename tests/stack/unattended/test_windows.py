"""The end of a window when nobody asks: webhook lost, browser closed, and the truth all the same, once."""

import time

import pytest

from tests.stack.conftest import Turn
from tests.stack.unattended.conftest import TYPED
from tests.support.client import Api, Operator, Vendors, new_phone, until
from tests.support.events import events_after
from tests.support.receiver import Receiver
from tests.support.stacks import ASKED, WINDOW_SECONDS
from tests.support.template import function_of

pytestmark = pytest.mark.short_windows

CREATED, STARTED = "verification.created", "verification.started"


def assert_told(types: list[str], end: str) -> None:
    """Each once. In a queue, the two events of a start may overtake each other; the list has them in order."""
    assert sorted(types[:2]) == [CREATED, STARTED]
    assert types[2:] == [end]


def test_a_call_whose_webhook_is_lost_is_found_before_the_window_ends(
    api: Api, vendors: Vendors, receiver: Receiver
) -> None:
    phone = new_phone()
    vendors.fault(ASKED, "webhook_lost", phone=phone)
    started = api.started(phone, provider=ASKED)
    vendors.dial(phone, started)

    event = receiver.wait_for(started.id, "verification.verified")
    assert event["data"]["evidence"] == "provider_read_back"
    assert event["data"]["verified_at"] < started["expires_at"]
    time.sleep(WINDOW_SECONDS / 2)  # past the window's end, where a second end would show
    assert_told(receiver.types(started.id), "verification.verified")


def test_a_window_without_a_call_ends_as_expired(api: Api, operator: Operator, receiver: Receiver) -> None:
    started = api.started(new_phone(), provider=ASKED)

    event = receiver.wait_for(started.id, "verification.expired")
    assert (event["data"]["status"], event["data"]["reason"]) == ("expired", "window_elapsed")
    assert event["created_at"] >= started["expires_at"]
    assert operator.record(started.id)["status"] == "expired"
    assert operator.lock(started.id) is None
    assert_told(receiver.types(started.id), "verification.expired")


def test_a_switch_moves_the_end_of_the_window(api: Api, vendors: Vendors, operator: Operator) -> None:
    phone = new_phone()
    started = api.started(phone, provider=ASKED)
    operator.end_cooldown(started.id)
    again = api.switch(started.id, phone, "flash_call").expect(200)
    assert (again["provider"], again["status"]) == (TYPED, "pending")

    time.sleep(WINDOW_SECONDS + 3)  # the message of the first attempt has come and gone
    assert operator.record(started.id)["status"] == "pending"
    assert api.check(started.id, vendors.code(phone)).expect(200)["valid"]


def test_a_worker_killed_in_the_middle_loses_nothing(
    alone: None,  # noqa: ARG001
    stack: dict[str, str],
    api: Api,
    receiver: Receiver,
    turn: Turn,
) -> None:
    started = [api.started(new_phone(), provider=ASKED) for _ in range(4)]
    deadline = time.monotonic() + WINDOW_SECONDS + 2
    while time.monotonic() < deadline:
        kill_workers(stack, *map(function_of, ("publish_event", "follow_up", "schedule_follow_up")))
        time.sleep(0.7)
    turn.together()
    for answer in started:
        receiver.wait_for(answer.id, "verification.expired")
        assert {*receiver.types(answer.id)} == {CREATED, STARTED, "verification.expired"}
    numbered = until(
        lambda: [
            event["id"] for event in events_after(api)[0] if event["data"]["id"] in {answer.id for answer in started}
        ],
        lambda ids: len(ids) == 3 * len(started),
    )
    assert len(set(numbered)) == len(numbered)


def kill_workers(stack: dict[str, str], *functions: str) -> None:
    """Kill the processes that run these functions, as if their machine had died."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if stack["DEV_DIR"] in command and any(function in command for function in functions):
            process.kill()
