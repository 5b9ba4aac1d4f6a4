"""Idempotency-Key: one key, one verification, however often and however late it is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from callverify.domain import verification as transitions
from callverify.domain.verification import Change, Verification
from callverify.runtime import wiring
from callverify.service.dial import Dial
from tests.support.follow_ups import end
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.simulators import CREDENTIALS
from tests.support.surroundings import LIVE_KEY, OTHER_LIVE_KEY, TABLE, TEST_KEY, THREE_ROUTES, aws_client, items

PARAMETERS = THREE_ROUTES

KEY = {"Idempotency-Key": "order-1"}


class ProcessDied(BaseException):
    """What no handler can catch: the function was killed."""


Start = Callable[..., None]


@pytest.fixture
def die_after_the_vendors_answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Api, dict[str, Any]], None]:
    """Send a start whose process ends between the vendor's answer and the write of it."""

    def start(api: Api, fields: dict[str, Any]) -> None:
        def die(*_: object, **__: object) -> None:
            raise ProcessDied

        with monkeypatch.context() as patched:
            patched.setattr(Dial, "record_answer", die)
            with pytest.raises(ProcessDied):
                api.start(headers=KEY, **fields)

    return start


def without(answer: Answer, *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.body.items() if name not in names}


@pytest.mark.parametrize("fields", [{"method": "flash_call"}, {"provider": "telefon_ip"}, {"provider": "smsc"}])
def test_the_same_request_again_gets_the_first_answer_again(api: Api, fields: dict[str, str]) -> None:
    first = api.start(headers=KEY, **fields)
    api.advance(5)
    again = api.start(headers=KEY, **fields)

    assert (first.status, first.replayed) == (201, False)
    assert (again.status, again.replayed) == (200, True)
    assert again.body == first.body
    assert api.paid_calls() == 1


def test_spacing_and_order_of_the_body_and_case_of_the_header_do_not_matter(api: Api) -> None:
    first = api.send("start_telefon_ip", raw_body=f'{{"phone":"{PHONE}","locale":"ru"}}', headers=KEY)
    again = api.send(
        "start_telefon_ip", raw_body=f'{{ "locale": "ru", "phone": "{PHONE}" }}', headers={"iDEMPOTENCY-kEY": "order-1"}
    )
    assert (again.status, again.id) == (200, first.id)


def test_the_same_key_with_another_body_is_422(api: Api) -> None:
    api.start(headers=KEY)
    answer = api.start("+79000000012", headers=KEY)
    assert (answer.status, answer["code"]) == (422, "idempotency_key_reused")
    assert api.paid_calls() == 1


def test_a_key_belongs_to_one_api_key(api: Api) -> None:
    first = api.start(headers=KEY)
    other = api.start("+79000000012", headers=KEY, credential=OTHER_LIVE_KEY)
    assert (other.status, other.id != first.id) == (201, True)


def test_another_key_is_another_start(api: Api) -> None:
    api.start(headers=KEY)
    assert api.start(headers={"Idempotency-Key": "order-2"})["code"] == "verification_in_progress"


def test_a_replay_shows_the_verification_as_it_is_now(api: Api) -> None:
    first = api.start(headers=KEY, method="flash_call")
    api.check(first.id, api.code(PHONE))
    again = api.start(headers=KEY, method="flash_call")
    assert (again.status, again["status"], again["client_token"]) == (200, "verified", first["client_token"])


@pytest.mark.parametrize(("api", "hours"), [({}, 24), ({"RetentionHours": "1"}, 1)], indirect=["api"])
def test_a_key_is_kept_as_long_as_its_verification_and_then_is_new(api: Api, hours: int) -> None:
    first = api.start(headers=KEY)
    api.advance(30 * 60 + hours * 3600 - 1)
    assert (api.start(headers=KEY).id, api.status(first.id).status) == (first.id, 200)
    api.advance(1)
    assert api.status(first.id).status == 404
    later = api.start(headers=KEY)
    assert (later.status, later.id != first.id) == (201, True)


@pytest.mark.parametrize("api", [{"RetentionHours": "1"}], indirect=True)
def test_all_keys_of_a_verification_end_with_it_whatever_it_met(api: Api) -> None:
    started = api.start(headers=KEY, provider="ucaller")
    api.advance(100)
    assert api.repeat(started.id, headers={"Idempotency-Key": "order-2"}).status == 200
    api.advance(100)
    another = api.switch(started.id, PHONE, "reverse_call", headers={"Idempotency-Key": "order-3"})
    assert another.status == 200
    kept = {item["pk"]: item["ttl"] for item in items() if item["pk"].startswith(("verification#", "idempotency#"))}
    assert len(kept) == 4
    assert set(kept.values()) == {api.now - 200 + 30 * 60 + 3600}


@pytest.mark.parametrize("second", ["203.0.113.9", None, "2001:db8::1"])
def test_the_address_of_the_user_is_no_part_of_the_body_that_is_compared(api: Api, second: str | None) -> None:
    first = api.start(headers=KEY, end_user_ip="198.51.100.7")
    again = api.start(headers=KEY, end_user_ip=second)
    assert (again.status, again.replayed, again.id) == (200, True, first.id)
    assert api.metrics()["ReplayOtherAddress"] == (1 if second else 0)


def test_a_replay_from_the_same_network_or_of_an_unknown_address_is_not_counted(api: Api) -> None:
    api.start(headers=KEY, end_user_ip="2001:db8::1")
    api.start(headers=KEY, end_user_ip="2001:db8::2")
    api.start("+79000000012", headers={"Idempotency-Key": "order-2"})
    api.start("+79000000012", headers={"Idempotency-Key": "order-2"}, end_user_ip="198.51.100.7")
    api.start("+79000000101", headers={"Idempotency-Key": "order-3"}, credential=TEST_KEY, end_user_ip="198.51.100.7")
    api.start("+79000000101", headers={"Idempotency-Key": "order-3"}, credential=TEST_KEY, end_user_ip="198.51.100.8")
    assert api.metrics()["ReplayOtherAddress"] == 0


def test_an_address_that_is_none_keeps_nobody_from_the_first_answer(api: Api) -> None:
    first = api.start(headers=KEY, end_user_ip="198.51.100.7")
    again = api.start(headers=KEY, end_user_ip="localhost")
    assert (again.status, again.id, again.replayed) == (200, first.id, True)


def test_a_key_from_before_an_upgrade_is_replayed(api: Api) -> None:
    """Version 1 compared the address too, and kept keys for 24 h."""
    body = {"phone": PHONE, "end_user_ip": "198.51.100.7"}
    first = api.send("start_telefon_ip", body=body, headers=KEY)
    (key,) = [item["pk"] for item in items() if item["pk"].startswith("idempotency#")]
    old = api.keys.hash_body("start\n" + json.dumps(body, sort_keys=True))
    aws_client("dynamodb").update_item(
        TableName=TABLE,
        Key={"pk": {"S": key}},
        UpdateExpression="SET body_hash = :old",
        ExpressionAttributeValues={":old": {"S": old}},
    )
    again = api.send("start_telefon_ip", body=body, headers=KEY)
    assert (again.status, again.id) == (200, first.id)
    assert api.send("start_telefon_ip", body=body | {"locale": "en"}, headers=KEY).status == 422


@pytest.mark.parametrize(("fault", "status"), [("number_refused", 422), ("no_money", 503), ("timeout", 503)])
def test_a_start_that_a_provider_failed_is_replayed_as_that_failure(api: Api, fault: str, status: int) -> None:
    api.simulators.fault("telefon_ip", fault)
    first = api.start(headers=KEY, provider="telefon_ip")
    again = api.start(headers=KEY, provider="telefon_ip")

    assert (first.status, first.replayed, again.status, again.replayed) == (status, False, status, True)
    assert without(again, "request_id") == without(first, "request_id")
    assert again["verification_id"]
    assert len(api.requests()) == 1


def test_our_own_refusals_are_not_stored(api: Api) -> None:
    assert api.start("+79000000011", provider="nobody", headers=KEY).status == 400
    assert api.start("112", headers=KEY).status == 422
    api.set_credentials({})
    assert api.start(headers=KEY).status == 503
    api.set_credentials(CREDENTIALS)
    assert api.start(headers=KEY).status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "a\tb"])
def test_an_unusable_key_is_400(api: Api, key: str) -> None:
    answer = api.start(headers={"Idempotency-Key": key})
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.requests() == []


def test_idempotency_is_judged_before_validation(api: Api) -> None:
    api.start(headers=KEY)
    assert api.send("start_telefon_ip", raw_body="not JSON", headers=KEY)["code"] == "idempotency_key_reused"


# In flight, and taken over


@pytest.mark.parametrize(("seconds", "retry_after"), [(0, 15), (14, 1)])
def test_a_retry_within_15_seconds_is_told_to_wait(
    api: Api, die_after_the_vendors_answer: Start, seconds: int, retry_after: int
) -> None:
    die_after_the_vendors_answer(api, {})
    api.advance(seconds)
    answer = api.start(headers=KEY)
    assert (answer.status, answer["code"], answer["retry_after"]) == (409, "idempotency_in_progress", retry_after)
    assert answer.headers["Retry-After"] == str(retry_after)


def test_a_retry_takes_over_a_flash_call_without_sending_it_again(
    api: Api, die_after_the_vendors_answer: Start
) -> None:
    die_after_the_vendors_answer(api, {"method": "flash_call"})
    api.advance(15)
    answer = api.start(headers=KEY, method="flash_call")

    assert (answer.status, answer["status"]) == (200, "pending")
    assert [(a["outcome"], a["reason"]) for a in answer["attempts"]] == [("unknown", "interrupted")]
    assert answer["client_token"]
    assert api.requests() == ["initCall"]
    assert api.check(answer.id, api.code(PHONE))["status"] == "verified"


def test_a_retry_takes_over_a_reverse_call_at_the_next_reverse_provider(
    api: Api, die_after_the_vendors_answer: Start
) -> None:
    die_after_the_vendors_answer(api, {})
    api.advance(15)
    answer = api.start(headers=KEY)

    assert (answer.status, answer["provider"], answer["challenge"]["type"]) == (200, "smsc", "call_number")
    assert [(a["provider"], a["outcome"]) for a in answer["attempts"]] == [
        ("telefon_ip", "unknown"),
        ("smsc", "started"),
    ]
    assert api.requests() == ["reverse_auth_phone_post", "wait_call"]
    assert api.start(headers=KEY).body == answer.body


def test_a_take_over_with_no_reverse_provider_left_goes_on_to_a_flash_call(
    api: Api, die_after_the_vendors_answer: Start
) -> None:
    """A reverse call costs nothing: that it may be awaited at the vendor keeps nobody from the first paid call."""
    api.set_credentials({name: CREDENTIALS[name] for name in ("telefon_ip", "ucaller")})
    die_after_the_vendors_answer(api, {})
    api.advance(15)
    taken_over = api.start(headers=KEY)
    assert (taken_over.status, taken_over["provider"], taken_over["method"]) == (200, "ucaller", "flash_call")
    assert [(a["provider"], a["outcome"]) for a in taken_over["attempts"]] == [
        ("telefon_ip", "unknown"),
        ("ucaller", "started"),
    ]
    assert api.requests() == ["reverse_auth_phone_post", "initCall"]
    assert api.start(headers=KEY).body == taken_over.body


def test_a_take_over_with_no_route_left_fails_the_start(api: Api, die_after_the_vendors_answer: Start) -> None:
    api.set_credentials({"telefon_ip": CREDENTIALS["telefon_ip"]})
    die_after_the_vendors_answer(api, {})
    api.advance(15)
    taken_over = api.start(headers=KEY)
    assert (taken_over.status, taken_over["code"]) == (503, "provider_unavailable")
    again = api.start(headers=KEY)
    assert (again.status, again.replayed) == (503, True)
    assert api.requests() == ["reverse_auth_phone_post"]
    assert api.status(taken_over["verification_id"])["reason"] == "provider_unavailable"


def test_a_process_that_died_leaves_the_phone_to_nobody_else(api: Api, die_after_the_vendors_answer: Start) -> None:
    die_after_the_vendors_answer(api, {})
    api.advance(20)
    assert api.start(credential=OTHER_LIVE_KEY)["code"] == "verification_in_progress"


def test_a_take_over_after_the_window_asks_nobody(api: Api, die_after_the_vendors_answer: Start) -> None:
    die_after_the_vendors_answer(api, {})
    api.advance(120)
    answer = api.start(headers=KEY)
    assert (answer.status, answer["status"]) == (200, "expired")
    assert len(api.requests()) == 1


# Repeats


def test_a_repeat_is_replayed(api: Api) -> None:
    started = api.start(method="flash_call", allowed_methods=["flash_call", "reverse_call"])
    api.advance(61)
    first = api.repeat(started.id, headers=KEY)
    again = api.repeat(started.id, headers=KEY)
    assert (first.status, first.replayed, again.status, again.replayed) == (200, False, 200, True)
    assert again.body == first.body
    assert api.requests() == ["initCall", "initRepeat"]
    other = api.switch(started.id, PHONE, "reverse_call", headers=KEY)
    assert (other.status, other["code"]) == (422, "idempotency_key_reused")


def test_a_switch_is_replayed(api: Api) -> None:
    started = api.start(method="flash_call", allowed_methods=["flash_call", "reverse_call"])
    api.advance(20)
    first = api.switch(started.id, PHONE, "reverse_call", headers=KEY)
    again = api.switch(started.id, PHONE, "reverse_call", headers=KEY)
    assert (again.status, again.replayed, again.body) == (200, True, first.body)
    assert api.paid_calls() == 2


def test_a_failed_repeat_is_replayed_as_that_failure(api: Api) -> None:
    started = api.start(method="flash_call")
    api.advance(61)
    api.simulators.fault("ucaller", "repeat_405")
    first = api.repeat(started.id, headers=KEY)
    again = api.repeat(started.id, headers=KEY)
    assert (first.status, again.status, again["code"]) == (409, 409, "repeat_not_supported")
    assert (first.replayed, again.replayed) == (False, True)


def test_a_start_key_is_no_repeat_key(api: Api) -> None:
    started = api.start(method="flash_call", headers=KEY)
    api.advance(61)
    assert api.repeat(started.id, headers=KEY)["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("credential", [LIVE_KEY, "client token"])
def test_a_taken_over_repeat_is_not_sent_again(api: Api, monkeypatch: pytest.MonkeyPatch, credential: str) -> None:
    started = api.start(method="flash_call")
    credential = started["client_token"] if credential == "client token" else credential
    api.advance(61)

    def die(*_: object, **__: object) -> None:
        raise ProcessDied

    with monkeypatch.context() as patched:
        patched.setattr("callverify.service.repeat.record_repeat", die)
        with pytest.raises(ProcessDied):
            api.repeat(started.id, headers=KEY, credential=credential)
    api.advance(14)
    assert api.repeat(started.id, headers=KEY, credential=credential)["code"] == "idempotency_in_progress"
    api.advance(1)
    answer = api.repeat(started.id, headers=KEY, credential=credential)
    assert (answer.status, answer.replayed, answer["repeats_remaining"]) == (200, True, 1)
    assert api.requests() == ["initCall", "initRepeat"]


def test_a_repeat_whose_verification_ends_meanwhile_is_told_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    started = api.start(method="flash_call")
    api.advance(61)
    begin_repeat = transitions.begin_repeat

    def cancel_first(before: Verification, now: int, by: str | None) -> Change:
        assert api.cancel(started.id).status == 200
        return begin_repeat(before, now, by)

    monkeypatch.setattr(transitions, "begin_repeat", cancel_first)
    answer = api.repeat(started.id, headers=KEY)
    assert (answer.status, answer["code"]) == (409, "verification_not_pending")
    assert api.requests() == ["initCall"]


def test_test_mode_replays_too(api: Api) -> None:
    first = api.start("+79000000101", headers=KEY, credential=TEST_KEY)
    again = api.start("+79000000101", headers=KEY, credential=TEST_KEY)
    assert (again.status, again.body, again.replayed) == (200, first.body, True)
    refused = api.start("+79000000104", headers={"Idempotency-Key": "order-2"}, credential=TEST_KEY)
    again = api.start("+79000000104", headers={"Idempotency-Key": "order-2"}, credential=TEST_KEY)
    assert (refused.status, again.status, again.replayed) == (422, 422, True)
    assert again["verification_id"] == refused["verification_id"]


def test_a_start_that_was_killed_counts_against_its_provider_when_it_is_taken_over(
    api: Api, die_after_the_vendors_answer: Start
) -> None:
    die_after_the_vendors_answer(api, {"provider": "telefon_ip"})
    api.advance(15)
    api.start(headers=KEY, provider="telefon_ip")
    assert api.measured("ProviderFailures") == [(0, "telefon_ip"), (1, "telefon_ip")]


def test_a_start_that_was_killed_and_nobody_takes_over_counts_at_its_end(
    api: Api, die_after_the_vendors_answer: Start
) -> None:
    die_after_the_vendors_answer(api, {"provider": "telefon_ip"})
    (record,) = (item for item in items() if item["pk"].startswith("verification#"))
    verification_id = record["pk"].partition("#")[2]
    api.advance(120)
    for _ in range(2):
        end(wiring.service(), verification_id)
    assert api.measured("ProviderFailures") == [(0, "telefon_ip"), (1, "telefon_ip")]
