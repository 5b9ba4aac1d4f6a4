"""The operator's stop switch for paid calls: `paid_calls` in the secret `provider-credentials`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import surroundings
from tests.support.gateway import PHONE, Api
from tests.support.simulators import CREDENTIALS
from tests.support.surroundings import CREDENTIALS_SECRET, TEST_KEY, THREE_ROUTES

PARAMETERS = THREE_ROUTES
STOPPED = {"paid_calls": "stopped"}
PAID = {"method": "flash_call"}


def skipped(answer: Any) -> set[str]:
    return {each["reason"] for each in answer["skipped"]}


def test_paid_routes_are_passed_over_and_free_ones_go_on(api: Api) -> None:
    api.set_credentials(CREDENTIALS | STOPPED)
    refused = api.start(**PAID)
    assert (refused.status, refused["code"], skipped(refused)) == (503, "no_provider_available", {"paid_stopped"})
    started = api.start()
    assert (started.status, started["method"]) == (201, "reverse_call")
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "verified"
    assert api.requests("ucaller") == []


def test_switches_and_repeats_are_stopped_and_what_rings_can_be_checked(api: Api) -> None:
    started = api.start(provider="ucaller", **PAID)
    api.set_credentials(CREDENTIALS | STOPPED)
    api.advance(61)
    assert api.repeat(started.id)["code"] == "no_provider_available"
    assert skipped(api.switch(started.id, PHONE, "flash_call")) == {"paid_stopped"}
    assert api.paid_calls() == 1
    assert api.check(started.id, api.code(PHONE))["valid"]


def test_a_step_falls_back_to_no_paid_route(api: Api) -> None:
    api.set_credentials(CREDENTIALS | STOPPED)
    for provider in ("telefon_ip", "smsc"):
        api.simulators.fault(provider, "http_500")
    answer = api.start()
    assert answer.status == 503
    assert "paid_stopped" in skipped(answer)
    assert api.requests("ucaller") == []


def test_it_is_in_force_within_the_cache_time_of_a_container_and_can_be_taken_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(**more: str) -> None:
        surroundings.put_secret(CREDENTIALS_SECRET, json.dumps(api.vendors.at(CREDENTIALS | more)))

    monkeypatch.setattr("callverify.runtime.secrets.time", api)  # whose `time` is the simulators'
    monkeypatch.setattr(api, "time", lambda: api.simulators.now, raising=False)
    surroundings.new_container()
    assert api.start("+79000000021", **PAID).status == 201
    put(**STOPPED)
    api.advance(240)
    assert skipped(api.start("+79000000022", **PAID)) == {"paid_stopped"}
    put(paid_calls="allowed")
    api.advance(240)
    assert api.start("+79000000023", **PAID).status == 201


@pytest.mark.parametrize(
    "member",
    [
        '"paid_calls": "Stopped"',
        '"paid_calls": true',
        '"paid_calls": null',
        '"paid_calls": ""',
        '"paid_calls": {}',
        '"paid_calls": "allowed", "paid_calls": "allowed"',
        '"Paid-Calls": "allowed"',
        '"paidcalls": "stopped"',
        '"pay_calls": "stopped"',
        '"switch": " STOPPED"',
        '"new_tel": {"paid_calls": "stopped"}',
        '"new_tel": {"calls": "stopped"}',
    ],
)
def test_what_is_ambiguous_stops_them_and_is_a_fault(api: Api, member: str) -> None:
    text = json.dumps(api.vendors.at(CREDENTIALS))
    surroundings.put_secret(CREDENTIALS_SECRET, f"{text[:-1]}, {member}}}")
    surroundings.new_container()
    assert skipped(api.start(**PAID)) == {"paid_stopped"}
    assert api.start().status == 201
    assert "provider-credentials: paid_calls" in api.logged()


def test_a_verification_in_progress_is_told_of_before_what_is_stopped(api: Api) -> None:
    started = api.start(reference="order-7")
    api.set_credentials(CREDENTIALS | STOPPED)
    refused = api.start(reference="order-7", **PAID)
    assert (refused.status, refused["code"]) == (409, "verification_in_progress")
    assert refused["verification_id"] == started.id


def test_test_mode_goes_on(api: Api) -> None:
    api.set_credentials(CREDENTIALS | STOPPED)
    assert api.start("+79000000101", credential=TEST_KEY, **PAID).status == 201
